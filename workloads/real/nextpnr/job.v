// A traffic light whose phases last by a table, with a serial line that reports each change, and a
// pseudo-random generator that decides whether somebody waits: a few hundred cells for a placer.
module job(input clk, input button, output [2:0] car, output [1:0] walk, output tx);
  reg [15:0] noise = 16'hace1;
  always @(posedge clk)
    noise <= {noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]};

  reg [1:0] phase = 0;
  reg [9:0] left = 10'd600;
  reg waiting = 0;
  wire over = left == 0;
  always @(posedge clk) begin
    left <= left - 1;
    waiting <= waiting | button | (&noise[7:0]);
    if (over && (phase != 0 || waiting)) begin
      phase <= phase + 1;
      case (phase)
        0: left <= 10'd80;
        1: begin left <= 10'd300; waiting <= 0; end
        2: left <= 10'd80;
        default: left <= 10'd600 + noise[5:0];
      endcase
    end else if (over) left <= 0;
  end
  assign car = phase == 0 ? 3'b001 : phase == 2 ? 3'b100 : 3'b010;
  assign walk = phase == 2 ? 2'b01 : 2'b10;

  // Eight data bits, one stop bit; a bit lasts 16 clocks.
  reg [9:0] line = 10'h3ff;
  reg [3:0] bits = 0, clocks = 0;
  reg [1:0] said = 0;
  reg [7:0] count = 0;
  assign tx = line[0];
  always @(posedge clk) begin
    clocks <= clocks + 1;
    if (bits == 0) begin
      if (said != phase) begin
        said <= phase;
        count <= count * 5 + phase;
        line <= {1'b1, count ^ {6'b001100, phase}, 1'b0};
        bits <= 10;
        clocks <= 0;
      end
    end else if (&clocks) begin
      line <= {1'b1, line[9:1]};
      bits <= bits - 1;
    end
  end
endmodule
