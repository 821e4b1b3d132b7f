/// The gRPC C core as a publisher (`Benchmarks/Peers/grpc_publisher.c`), where its library and a C
/// compiler are installed.
enum CoreGRPCPublisher {
  /// Starts one that calls SendMessage at a broker on `port`; nil where it can't be made.
  static func start(
    port: UInt16, payloadBytes: Int, calls: Int, folder: String
  ) throws(BenchError) -> ChildProcess? {
    let program = "\(folder)/grpc_publisher"
    let sources = ["Benchmarks/Peers/grpc_publisher.c", "Benchmarks/Load/record.c"]
    guard let load = Executable.packageFile("Benchmarks/Load/include"),
      // The header says which pointers may be NULL in clang's words.
      CCompiler.make(
        program, of: sources, ["-D_Nonnull=", "-D_Nullable=", "-I", load, "-lgrpc", "-lgpr"])
    else { return nil }
    return try ChildProcess(
      program, ["\(port)", "\(payloadBytes)", "\(calls)"], log: "\(folder)/grpc.log")
  }
}
