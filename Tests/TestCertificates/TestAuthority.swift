import CertificateRecipe
import Foundation

/// An authority that a test makes for itself with the `openssl` command, and what it issues. Its
/// files are in a folder that goes when it does.
public final class TestAuthority: Sendable {
  /// A certificate with its key, PEM, and where their files are.
  public struct Issued: Sendable {
    /// The certificate.
    public let certificate: [UInt8]
    /// Its private key.
    public let key: [UInt8]
    /// The path of the certificate.
    public let certificateFile: String
    /// The path of the key.
    public let keyFile: String
  }

  /// Something could not be made.
  public struct Failure: Error, CustomStringConvertible {
    /// What `openssl` said.
    public let description: String
  }

  private let folder: URL
  /// Its own certificate, PEM.
  public let certificate: [UInt8]
  /// The path of its certificate.
  public var certificateFile: String { path("ca.pem") }

  /// A new authority.
  public init(_ name: String = "Test authority") throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("authority-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let key = folder.appendingPathComponent("ca.key").path
    let file = folder.appendingPathComponent("ca.pem").path
    try Self.makeKey(key)
    try Self.openssl(CertificateRecipe.authority(name, key: key, certificate: file))
    certificate = try Self.bytes(file)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// Issues a certificate for names as `DNS:localhost` and `IP:127.0.0.1`, which is over if `days`
  /// is negative.
  public func issue(
    _ names: [String] = ["DNS:localhost", "IP:127.0.0.1"], days: Int = 30, commonName: String = "me"
  ) throws -> Issued {
    let name = UUID().uuidString
    let key = path("\(name).key")
    let request = path("\(name).csr")
    let file = path("\(name).pem")
    try Self.makeKey(key)
    try Self.openssl(
      CertificateRecipe.request(names, commonName: commonName, key: key, request: request))
    try Self.openssl(
      CertificateRecipe.certificate(
        file, for: request, authority: certificateFile, authorityKey: path("ca.key"),
        serial: .random(in: 1 ... .max), days: days))
    return Issued(
      certificate: try Self.bytes(file), key: try Self.bytes(key), certificateFile: file,
      keyFile: key)
  }

  /// A certificate for `localhost` of an authority that this one vouches for, and that one's.
  public func issueWithChain() throws -> Issued {
    let middle = try issue([], days: 30, commonName: "Middle")
    let signed = path("middle.pem")
    let extensions = path("middle.ext")
    try "basicConstraints=critical,CA:TRUE\n".write(
      toFile: extensions, atomically: true, encoding: .utf8)
    let request = path("middle.csr")
    try Self.openssl([
      "req", "-new", "-key", middle.keyFile, "-subj", "/CN=Middle", "-out", request,
    ])
    try Self.openssl([
      "x509", "-req", "-in", request, "-CA", certificateFile, "-CAkey", path("ca.key"),
      "-set_serial", "7", "-extfile", extensions, "-out", signed,
    ])
    let leaf = try issue()
    let leafRequest = path("leaf.csr")
    try Self.openssl([
      "req", "-new", "-key", leaf.keyFile, "-subj", "/CN=leaf", "-addext",
      "subjectAltName=DNS:localhost", "-out", leafRequest,
    ])
    let bytes = try Self.openssl([
      "x509", "-req", "-in", leafRequest, "-CA", signed, "-CAkey", middle.keyFile, "-set_serial",
      "8", "-copy_extensions", "copy",
    ])
    let middleBytes = try Self.openssl(["x509", "-in", signed])
    return Issued(
      certificate: bytes + middleBytes, key: leaf.key, certificateFile: leaf.certificateFile,
      keyFile: leaf.keyFile)
  }

  /// A path in the folder.
  public func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  private static func makeKey(_ path: String) throws {
    try openssl(CertificateRecipe.key(path))
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  /// Runs the command to its end.
  @discardableResult
  public static func openssl(_ arguments: [String]) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let said = output.fileHandleForReading.readDataToEndOfFile()
    let complaint = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(
        description:
          "openssl \(arguments.first ?? ""): \(String(decoding: complaint, as: UTF8.self))")
    }
    return Array(said)
  }
}
