/// The version of this gateway.
public enum GatewayVersion {
  /// By semantic versioning; below 1.0 configuration and formats may still change.
  public static let text = "0.1.0"
}
