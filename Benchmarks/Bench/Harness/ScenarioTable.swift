/// Every scenario, in the order of a message's way through the gateway.
enum ScenarioTable {
  static let all: [Scenario] = [
    RingScenario.scenario,
    MQTTCodecScenario.scenario,
    HTTPCodecScenario.scenario,
    RouteMatchScenario.scenario,
    IngestScenarios.pipelined,
    IngestScenarios.unpipelined,
    IngestScenarios.webhook,
    IngestTLSScenario.scenario,
    UplinkScenarios.publishUnary,
    PublishTLSScenario.scenario,
    ReplicateScenario.scenario,
    SpoolAppendScenario.scenario,
    SpoolReplayScenario.scenario,
    SpoolRecoverScenario.scenario,
    FlashScenario.scenario,
    UplinkScenarios.endToEnd,
    OutageScenario.scenario,
    LatencyScenario.scenario,
    ConnectionsScenario.scenario,
    FootprintScenario.scenario,
  ]
}
