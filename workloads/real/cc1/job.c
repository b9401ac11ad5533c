/* Things for an optimiser to do: loops, inlining, switch, bit work, recursion. */
typedef unsigned char u8;
typedef unsigned int u16;

static u8 crc(u8 value, u8 byte)
{
    value ^= byte;
    for (u8 i = 0; i < 8; i++)
        value = value & 0x80 ? (u8)(value << 1) ^ 0x07 : (u8)(value << 1);
    return value;
}

u8 checksum(const u8 *bytes, u16 length)
{
    u8 value = 0;
    while (length--)
        value = crc(value, *bytes++);
    return value;
}

int evaluate(const u8 *code, int *stack)
{
    int *top = stack;
    for (;;) {
        switch (*code++) {
        case 0: return top[-1];
        case 1: *top++ = *code++; break;
        case 2: top--; top[-1] += *top; break;
        case 3: top--; top[-1] -= *top; break;
        case 4: top--; top[-1] *= *top; break;
        case 5: top--; top[-1] = *top ? top[-1] / *top : 0; break;
        case 6: top[-1] = -top[-1]; break;
        case 7: if (*--top) code += *code; code++; break;
        default: return -1;
        }
    }
}

void sort(int *list, int n)
{
    for (int gap = n / 2; gap; gap /= 2)
        for (int i = gap; i < n; i++) {
            int x = list[i], j = i;
            for (; j >= gap && list[j - gap] > x; j -= gap)
                list[j] = list[j - gap];
            list[j] = x;
        }
}

long power(long base, u8 exponent)
{
    if (!exponent) return 1;
    long half = power(base, exponent / 2);
    return exponent & 1 ? half * half * base : half * half;
}
