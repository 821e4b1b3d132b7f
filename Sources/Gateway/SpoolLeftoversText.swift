public import Settings
public import Spool

/// What is said of records on the disk that nobody gets in the mode that is configured.
public enum SpoolLeftoversText {
  /// What the gateway does with its disk.
  public enum Mode: Sendable {
    /// Nothing: `mode = "memory"`.
    case memory
    /// The embedded broker keeps its records there.
    case embedded
    /// What a broker elsewhere does not take in time goes there.
    case uplink
  }

  /// What a configuration asks for.
  public static func mode(_ configuration: GatewayConfiguration) -> Mode {
    if configuration.spool.mode == .memory { return .memory }
    return configuration.danube.target == .embedded ? .embedded : .uplink
  }

  /// Why they wait, and what can be done.
  public static func message(_ mode: Mode) -> StaticString {
    switch mode {
    case .memory:
      """
      records wait in the spool, which is not used with mode = "memory": nobody gets them; run \
      with mode = "spill" until they are delivered, or take them out with \
      `danube-gateway spool export`
      """
    case .embedded:
      """
      records wait in the spool for a broker elsewhere, which the embedded broker does not serve: \
      they stay within retain_bytes and retain_age_s; set danube.url back until they are \
      delivered, or take them out with `danube-gateway spool export`
      """
    case .uplink:
      """
      records wait in the spool for subscriptions of the embedded broker, which is not in use: \
      they stay until half of spool.max_bytes is used; set danube.url = "embedded" until they are \
      delivered, or take them out with `danube-gateway spool export`
      """
    }
  }

  /// A line about what a look at the folder found; nil when all is for those who are served.
  public static func note(
    _ listing: SpoolListing, _ configuration: GatewayConfiguration, folder: String
  ) -> String? {
    let left = leftovers(listing, configuration)
    guard left.records > 0 else { return nil }
    return "\(folder): \(left.records) records of \(left.lanes) topics: "
      + message(mode(configuration)).description
  }

  /// What nobody would get.
  public static func leftovers(
    _ listing: SpoolListing, _ configuration: GatewayConfiguration
  ) -> SpoolLeftovers {
    switch mode(configuration) {
    case .memory: listing.leftovers(servedBy: nil)
    case .embedded: listing.leftovers(servedBy: .subscriptions)
    case .uplink: listing.leftovers(servedBy: .uplink)
    }
  }
}
