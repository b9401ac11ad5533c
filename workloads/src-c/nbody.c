// Gravitation among a handful of bodies with a leapfrog integrator: double-precision adds,
// multiplies, one division and one square root per pair, with everything live across the loop.

#include "bench.h"
#include <math.h>

enum { BODIES = 6 };

typedef struct { double x, y, z, vx, vy, vz, mass; } body_t;

static body_t bodies[BODIES], start[BODIES];
static int steps;
static double energy_before, energy_after;

static double energy(const body_t *b) {
    double e = 0;
    for (int i = 0; i < BODIES; i++) {
        e += 0.5 * b[i].mass * (b[i].vx * b[i].vx + b[i].vy * b[i].vy + b[i].vz * b[i].vz);
        for (int j = i + 1; j < BODIES; j++) {
            double dx = b[i].x - b[j].x, dy = b[i].y - b[j].y, dz = b[i].z - b[j].z;
            e -= b[i].mass * b[j].mass / sqrt(dx * dx + dy * dy + dz * dz);
        }
    }
    return e;
}

static void kick(body_t *b, double dt) {
    for (int i = 0; i < BODIES; i++) {
        for (int j = i + 1; j < BODIES; j++) {
            double dx = b[i].x - b[j].x, dy = b[i].y - b[j].y, dz = b[i].z - b[j].z;
            double d2 = dx * dx + dy * dy + dz * dz;
            double pull = dt / (d2 * sqrt(d2));
            double mi = b[i].mass * pull, mj = b[j].mass * pull;
            b[i].vx -= dx * mj, b[i].vy -= dy * mj, b[i].vz -= dz * mj;
            b[j].vx += dx * mi, b[j].vy += dy * mi, b[j].vz += dz * mi;
        }
    }
}

static void drift(body_t *b, double dt) {
    for (int i = 0; i < BODIES; i++) b[i].x += dt * b[i].vx, b[i].y += dt * b[i].vy, b[i].z += dt * b[i].vz;
}

void workload_setup(bool small) {
    steps = small ? 12000 : 480000;
    // A heavy sun and planets on nearly circular orbits of different radius and tilt.
    start[0] = (body_t){.mass = 40};
    for (int i = 1; i < BODIES; i++) {
        double radius = 1.5 * i * i, speed = sqrt(40 / radius), tilt = 0.05 * i;
        start[i] = (body_t){.x = radius, .z = tilt * radius, .vy = speed, .vz = -tilt * speed, .mass = 0.002 * i};
    }
}

uint64_t workload_kernel(void) {
    memcpy(bodies, start, sizeof bodies);
    energy_before = energy(bodies);
    const double dt = 0.0005;
    drift(bodies, dt / 2);
    for (int step = 1; step < steps; step++) {
        kick(bodies, dt);
        drift(bodies, dt);
    }
    kick(bodies, dt);
    drift(bodies, dt / 2);
    energy_after = energy(bodies);
    uint64_t sum = mix_f64(0, energy_after);
    for (int i = 0; i < BODIES; i++) sum = mix_f64(mix_f64(sum, bodies[i].x), bodies[i].vz);
    return sum;
}

void workload_report(void) {
    out_field("steps", (uint64_t)steps);
    out_field_f64("energy before", energy_before);
    out_field_f64("energy after", energy_after);
}
