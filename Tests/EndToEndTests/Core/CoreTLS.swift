import CGRPC
import Foundation
import TestCertificates

/// What gRPC's C core shows to the other side, and what it checks it by.
struct CoreTLS {
  /// The own certificate; a client may have none.
  var identity: TestAuthority.Issued?
  /// Whose certificates the other side has to have; a server without asks for none.
  var authority: TestAuthority?

  private func withIdentity<Result>(
    _ body: (UnsafeMutablePointer<grpc_ssl_pem_key_cert_pair>?) -> Result
  ) -> Result {
    guard let identity else { return body(nil) }
    let key = strdup(String(decoding: identity.key, as: UTF8.self))
    let certificate = strdup(String(decoding: identity.certificate, as: UTF8.self))
    defer {
      free(key)
      free(certificate)
    }
    var pair = grpc_ssl_pem_key_cert_pair(private_key: key, cert_chain: certificate)
    return body(&pair)
  }

  private var authorities: String? {
    authority.map { String(decoding: $0.certificate, as: UTF8.self) }
  }

  /// For a server; with an authority every client needs a certificate.
  func serverCredentials() -> OpaquePointer? {
    withIdentity { pair in
      grpc_ssl_server_credentials_create_ex(
        authorities, pair, 1,
        authority == nil
          ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, nil)
    }
  }

  /// For a client.
  func channelCredentials() -> OpaquePointer? {
    withIdentity { grpc_ssl_credentials_create(authorities, $0, nil, nil) }
  }
}
