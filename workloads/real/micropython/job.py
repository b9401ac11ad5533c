# Exceptions on every path: raised in loops, through deep calls, by the machine itself, in generators.
# The interpreter turns each of them into a long jump.
import gc
import json

# The collector of this build does not see what is only in local variables of WebAssembly.
gc.disable()


class Empty(Exception):
    pass


class Stack:
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        if not self.items:
            raise Empty(len(self.items))
        return self.items.pop()


def evaluate(text):
    stack = Stack()
    for word in text.split():
        try:
            stack.push(int(word))
        except ValueError:
            right, left = stack.pop(), stack.pop()
            if word == "+":
                stack.push(left + right)
            elif word == "-":
                stack.push(left - right)
            elif word == "*":
                stack.push(left * right)
            else:
                stack.push(left // right)
    return stack.pop()


def deep(n):
    try:
        if n == 0:
            raise KeyError("bottom")
        return deep(n - 1)
    except IndexError:
        return "not this one"
    finally:
        trace.append(n)


def squares():
    n = 0
    try:
        while True:
            try:
                n = (yield n * n) or n + 1
            except ValueError as error:
                n = error.args[0]
    finally:
        trace.append("closed")


trace = []
counts = {}
for i in range(400):
    text = ("%d %d + %d *", "%d %d / %d -", "%d + %d %d", "%d %d %d")[i % 4] % (i, i % 7, i % 5)
    try:
        outcome = evaluate(text) % 97
    except (Empty, ZeroDivisionError) as error:
        outcome = type(error).__name__
    counts[outcome] = counts.get(outcome, 0) + 1
print(json.dumps(sorted((str(k), v) for k, v in counts.items())))

for n in range(1, 30):
    try:
        deep(n)
    except KeyError as error:
        assert error.args[0] == "bottom"
print(len(trace), sum(trace))

numbers = squares()
seen = [next(numbers), numbers.send(5), numbers.throw(ValueError(12)), next(numbers)]
numbers.close()
print(seen, trace[-1])


def endless(n):
    return endless(n + 1) + 1


try:
    endless(0)
except RuntimeError as error:
    print(type(error).__name__, error)

primes, sieve = 0, bytearray(20000)
for i in range(2, len(sieve)):
    if not sieve[i]:
        primes += 1
        for j in range(i * i, len(sieve), i):
            sieve[j] = 1
print(primes)
