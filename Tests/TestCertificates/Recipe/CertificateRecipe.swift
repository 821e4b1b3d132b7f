/// How the `openssl` command makes an authority and what it issues: the arguments of each call. Of
/// tests and of the bench, which run it each in their own way.
public enum CertificateRecipe {
  /// A new private key, of P-256.
  public static func key(_ key: String) -> [String] {
    ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]
  }

  /// An authority's own certificate.
  public static func authority(_ name: String, key: String, certificate: String) -> [String] {
    [
      "req", "-x509", "-new", "-key", key, "-subj", "/CN=\(name)", "-days", "3650", "-addext",
      "keyUsage=critical,keyCertSign,cRLSign", "-out", certificate,
    ]
  }

  /// A request for a certificate for names as `DNS:localhost` and `IP:127.0.0.1`.
  public static func request(
    _ names: [String], commonName: String, key: String, request: String
  ) -> [String] {
    let alternatives =
      names.isEmpty ? [] : ["-addext", "subjectAltName=\(names.joined(separator: ","))"]
    return ["req", "-new", "-key", key, "-subj", "/CN=\(commonName)", "-out", request]
      + alternatives
  }

  /// The certificate that an authority issues to a request.
  public static func certificate(
    _ certificate: String, for request: String, authority: String, authorityKey: String,
    serial: UInt32, days: Int
  ) -> [String] {
    [
      "x509", "-req", "-in", request, "-CA", authority, "-CAkey", authorityKey, "-set_serial",
      "\(serial)", "-days", "\(days)", "-copy_extensions", "copy", "-out", certificate,
    ]
  }
}
