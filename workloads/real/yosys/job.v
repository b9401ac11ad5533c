// A small processor: decoder, register file, arithmetic unit and a program counter.
module alu(input [2:0] op, input [15:0] a, b, output reg [15:0] y, output zero);
  always @* case (op)
    0: y = a + b;
    1: y = a - b;
    2: y = a & b;
    3: y = a | b;
    4: y = a ^ b;
    5: y = a << b[3:0];
    6: y = a >> b[3:0];
    default: y = {15'b0, a < b};
  endcase
  assign zero = y == 0;
endmodule

module cpu(input clk, input rst, input [15:0] instr, output reg [7:0] pc, output [15:0] out);
  reg [15:0] regs [0:7];
  wire [15:0] a = regs[instr[5:3]], b = instr[15] ? {10'b0, instr[5:0]} : regs[instr[2:0]], y;
  wire zero;
  alu unit(instr[14:12], a, b, y, zero);
  assign out = y;
  always @(posedge clk)
    if (rst) pc <= 0;
    else begin
      regs[instr[11:9]] <= y;
      pc <= (instr[8] & zero) ? pc + instr[7:6] : pc + 1;
    end
endmodule
