# Words, structures, regular expressions, big numbers, an exception and a file of the standard library.
require "json"
require "set"

text = (1..400).map { |i| "w#{(i * i * 7919) % 97} #{%w[alpha beta gamma delta][i % 4]}" }.join(" ")
counts = text.split.tally.sort_by { |word, n| [-n, word] }.first(8)
counts.each { |word, n| puts "#{word.ljust(8)} #{n}" }

Point = Struct.new(:x, :y) do
  def +(other) = Point.new(x + other.x, y + other.y)
end
puts (1..1000).map { |i| Point.new(i, i * i) }.reduce(:+).to_a.inspect

puts (1..60).reduce(:*)
puts JSON.generate(JSON.parse('{"name":"zwasm","list":[1,2.5,null,true],"nested":{"k":"v"}}'))
puts text.scan(/w(\d)\d\b/).flatten.tally.sort.map { |k, v| "#{k}=#{v}" }.join(",")

def fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2)
puts fib(20)

fiber = Fiber.new { 3.times { |i| Fiber.yield i * 10 }; :done }
puts 4.times.map { fiber.resume }.inspect

begin
  Integer("not a number")
rescue ArgumentError => e
  puts e.message
end
puts Set.new([3, 1, 3, 2]).sort.inspect, RUBY_VERSION
$stdout.flush
