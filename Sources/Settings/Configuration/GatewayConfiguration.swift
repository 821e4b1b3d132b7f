/// The configuration of a gateway, checked.
public struct GatewayConfiguration: Sendable, Equatable {
  /// Who the gateway is, and how its process behaves: `[gateway]`.
  public var gateway: ProcessConfiguration
  /// The broker that records go to: `[danube]`.
  public var danube: DanubeConfiguration
  /// The broker inside the gateway: `[broker]`.
  public var broker: BrokerConfiguration
  /// The buffer on the disk: `[spool]`.
  public var spool: SpoolConfiguration
  /// Health and metrics: `[admin]`.
  public var admin: AdminConfiguration
  /// Where devices connect: `[[listen]]`; at least one.
  public var listeners: [ListenerConfiguration]
  /// Where messages go, the first that matches: `[[route]]`; at least one when it was loaded.
  public var routes: [RouteConfiguration]
  /// What the gateway may use: `[limits]`.
  public var limits: LimitsConfiguration

  /// The defaults, with these routes.
  public init(routes: [RouteConfiguration] = []) {
    gateway = ProcessConfiguration()
    danube = DanubeConfiguration()
    broker = BrokerConfiguration()
    spool = SpoolConfiguration()
    admin = AdminConfiguration()
    listeners = [ListenerConfiguration()]
    self.routes = routes
    limits = LimitsConfiguration()
  }
}
