import BenchKit
import BenchLoad

/// `publish-unary` through TLS 1.3, beside the same in clear.
enum PublishTLSScenario {
  static var scenario: Scenario {
    Scenario(
      name: "publish-tls",
      summary: "publish-unary in clear and through TLS 1.3, CPU of the delivery thread",
      cases: [
        Scenario.Case(
          name: "100 B, 256 in flight", ours: ours, limit: limit, peers: peers)
      ])
  }

  private static let clear = "in clear"
  private static let secure = "through TLS 1.3"

  private static func ours(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let certificates = try Certificates(in: context.folder)
    return [
      try UplinkScenarios.publish(label: clear, nil, context),
      try UplinkScenarios.publish(label: secure, certificates, context),
    ]
  }

  /// Bare nghttp2 has no TLS: it stands beside the line in clear.
  private static func limit(_ context: BenchContext) throws(BenchError) -> [Figure] {
    [try UplinkScenarios.publisher(100, clear, context)]
  }

  private static func peers(_ context: BenchContext) throws(BenchError) -> [Figure] {
    let certificates = try Certificates(in: context.folder)
    var figures: [Figure] = []
    for (label, certificates) in [(clear, nil), (secure, certificates)] {
      if let figure = try UplinkScenarios.core(
        "gRPC C core, \(label), nothing kept", certificates, context)
      {
        figures.append(figure)
      }
    }
    return figures
  }
}
