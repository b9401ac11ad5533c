"""Containers, strings, big numbers, JSON, regular expressions, hashing and a written file."""
import collections
import hashlib
import json
import re
import sys

text = " ".join(f"w{(i * i * 7919) % 97} {['alpha', 'beta', 'gamma', 'delta'][i % 4]}" for i in range(1, 401))
for word, n in sorted(collections.Counter(text.split()).items(), key=lambda p: (-p[1], p[0]))[:8]:
    print(f"{word:<8} {n}")


class Point(collections.namedtuple("Point", "x y")):
    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)


print(sum((Point(i, i * i) for i in range(1, 1001)), Point(0, 0)))
print(pow(3, 500) % 10**40)
print(json.dumps(json.loads('{"name":"zwasm","list":[1,2.5,null,true],"nested":{"k":"v"}}'), sort_keys=True))
print(collections.Counter(re.findall(r"w(\d)\d\b", text)).most_common(3))


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


print(fib(20))
print(hashlib.sha256(text.encode()).hexdigest())

with open("/work/out.txt", "w") as f:
    for i in range(1000):
        f.write(f"{i:04} {i * i % 1009}\n")
try:
    int("not a number")
except ValueError as e:
    print(e)
print(sys.version_info[:2])
