import BenchLoad
import CertificateRecipe
import Glibc

/// An authority of the bench's own, and a certificate of it for 127.0.0.1: files that the `openssl`
/// command makes.
struct Certificates {
  /// The authority's certificate.
  let authority: String
  /// The server's certificate.
  let certificate: String
  /// Its private key.
  let key: String

  /// Those of a folder, made when they are not there.
  init(in folder: String) throws(BenchError) {
    authority = "\(folder)/authority.pem"
    certificate = "\(folder)/server.pem"
    key = "\(folder)/server.key"
    let authorityKey = "\(folder)/authority.key"
    let request = "\(folder)/server.csr"
    if unsafe access(certificate, R_OK) == 0 { return }
    let calls = [
      (CertificateRecipe.key(authorityKey), authorityKey),
      (
        CertificateRecipe.authority("Bench", key: authorityKey, certificate: authority), authority
      ),
      (CertificateRecipe.key(key), key),
      (
        CertificateRecipe.request(
          ["IP:127.0.0.1"], commonName: "bench", key: key, request: request), request
      ),
      (
        CertificateRecipe.certificate(
          certificate, for: request, authority: authority, authorityKey: authorityKey, serial: 2,
          days: 2), certificate
      ),
    ]
    for (arguments, file) in calls {
      let process = try ChildProcess(
        "/usr/bin/env", ["openssl"] + arguments, log: "\(folder)/openssl.log")
      while process.isRunning { bench_sleep(2_000_000) }
      guard unsafe access(file, R_OK) == 0 else {
        throw .failed("no certificate can be made: is the `openssl` command installed?")
      }
    }
  }
}
