// Closures, classes, generators, regular expressions, big integers, JSON, typed arrays, promises.
const words = Array.from({ length: 400 }, (_, i) => `w${((i + 1) * (i + 1) * 7919) % 97}`);
const counts = new Map();
for (const w of words) counts.set(w, (counts.get(w) ?? 0) + 1);
const most = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 5);
for (const [word, n] of most) console.log(word, n);

class Shape { area() { return 0; } }
class Circle extends Shape { constructor(r) { super(); this.r = r; } area() { return Math.PI * this.r ** 2; } }
console.log(new Circle(2).area().toFixed(6));

function* primes(limit) {
  const sieve = new Uint8Array(limit);
  for (let i = 2; i < limit; i++) {
    if (sieve[i]) continue;
    yield i;
    for (let j = i * i; j < limit; j += i) sieve[j] = 1;
  }
}
let sum = 0, last = 0;
for (const p of primes(200000)) { sum += p; last = p; }
console.log(sum, last);

let factorial = 1n;
for (let i = 1n; i <= 60n; i++) factorial *= i;
console.log(String(factorial));
console.log(JSON.stringify(JSON.parse('{"name":"zwasm","list":[1,2.5,null,true]}')));
console.log(words.join(" ").replace(/w(\d)(\d)\b/g, "$2$1").slice(0, 60));

const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);
console.log(fib(24));
try { null.x; } catch (e) { console.log(e instanceof TypeError); }
Promise.resolve(7).then(v => console.log("later", v));
