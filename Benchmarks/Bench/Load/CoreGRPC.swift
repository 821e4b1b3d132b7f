/// Programs on the gRPC C core (`Benchmarks/Peers`), where its library and a C compiler are
/// installed.
enum CoreGRPC {
  /// Starts one of them; nil where it can't be made.
  static func start(
    _ name: String, _ arguments: [String], folder: String, readsOutput: Bool = false
  ) throws(BenchError) -> ChildProcess? {
    let program = "\(folder)/\(name)"
    let sources = ["Benchmarks/Peers/\(name).c", "Benchmarks/Load/record.c"]
    guard let load = Executable.packageFile("Benchmarks/Load/include"),
      // The header says which pointers may be NULL in clang's words.
      CCompiler.make(
        program, of: sources, ["-D_Nonnull=", "-D_Nullable=", "-I", load, "-lgrpc", "-lgpr"])
    else { return nil }
    return try ChildProcess(
      program, arguments, log: "\(folder)/grpc.log", readsOutput: readsOutput)
  }

  /// Starts a caller of SendMessage at a broker on `port`. It ends after so many messages, with 0
  /// it does not; with certificates it speaks TLS.
  static func publisher(
    port: UInt16, payloadBytes: Int, calls: Int, messages: Int = 0,
    certificates: Certificates? = nil, folder: String
  ) throws(BenchError) -> ChildProcess? {
    var arguments = ["\(port)", "\(payloadBytes)", "\(calls)", "\(messages)"]
    if let certificates { arguments.append(certificates.authority) }
    return try start("grpc_publisher", arguments, folder: folder)
  }
}
