// Things for a C++ front end to do: templates, constant expressions, virtual calls, lambdas, overloads.
typedef unsigned char u8;
typedef unsigned int u16;

template <typename T, u8 N> class Ring {
public:
    constexpr Ring() : items{}, head(0), count(0) {}

    bool push(T item)
    {
        if (count == N)
            return false;
        items[(head + count++) % N] = item;
        return true;
    }

    bool pop(T &item)
    {
        if (count == 0)
            return false;
        item = items[head];
        head = (head + 1) % N;
        count--;
        return true;
    }

    template <typename F> void each(F visit) const
    {
        for (u8 i = 0; i < count; i++)
            visit(items[(head + i) % N]);
    }

private:
    T items[N];
    u8 head, count;
};

template <u8... Values> struct Table {
    static constexpr u8 values[] = {Values...};
    static constexpr u16 sum = (u16(Values) + ...);
};
using Primes = Table<2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37>;
static_assert(Primes::sum == 197, "twelve primes");

constexpr u16 power(u16 base, u8 exponent) { return exponent == 0 ? 1 : base * power(base, exponent - 1); }

struct Shape {
    virtual u16 area() const = 0;
    virtual ~Shape() = default;
};

struct Square final : Shape {
    explicit Square(u8 side) : side(side) {}
    u16 area() const override { return u16(side) * side; }
    u8 side;
};

struct Rectangle final : Shape {
    Rectangle(u8 width, u8 height) : width(width), height(height) {}
    u16 area() const override { return u16(width) * height; }
    u8 width, height;
};

void operator delete(void *, u16) {}

Ring<u8, 16> bytes;
Ring<u16, 8> words;

u16 total(const Shape *const *shapes, u8 count)
{
    u16 sum = 0;
    for (u8 i = 0; i < count; i++)
        sum += shapes[i]->area();
    return sum;
}

u16 mixed(u8 seed)
{
    for (u8 prime : Primes::values) {
        bytes.push(u8(seed * prime));
        words.push(u16(seed) * power(3, 4));
    }
    u16 sum = Primes::sum;
    bytes.each([&sum](u8 byte) { sum = sum * 31 + byte; });
    words.each([&sum, seed](u16 word) { sum ^= word + seed; });
    u8 first;
    return bytes.pop(first) ? sum + first : sum;
}

int main()
{
    Square square(7);
    Rectangle rectangle(3, 9);
    const Shape *const shapes[] = {&square, &rectangle};
    return int(total(shapes, 2) + mixed(5));
}
