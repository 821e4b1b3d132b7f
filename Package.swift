// swift-tools-version: 6.2
import PackageDescription

// Every Swift target is built the same way: strict memory safety, warnings as errors.
// `-cross-module-optimization` lets generic code specialise across modules in release builds.
let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
  .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

// Tests may use Foundation and raw memory freely; they are not part of the product.
let testing: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

func module(_ name: String, _ dependencies: [String] = []) -> Target {
  .target(
    name: name, dependencies: dependencies.map { .target(name: $0) }, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [String], exclude: [String] = []) -> Target {
  .testTarget(
    name: name, dependencies: dependencies.map { .target(name: $0) }, exclude: exclude,
    swiftSettings: testing)
}

let package = Package(
  name: "danube-gateway",
  products: [
    .executable(name: "danube-gateway", targets: ["danube-gateway"]),
    .executable(name: "danube-device", targets: ["danube-device"]),
  ],
  targets: [
    // C doors: one library each, no logic.
    .systemLibrary(name: "CLinux", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
    .systemLibrary(
      name: "CNGHTTP2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CJSMN", providers: [.apt(["libjsmn-dev"])]),
    .systemLibrary(name: "CGRPC", providers: [.apt(["libgrpc-dev"])]),
    .systemLibrary(name: "CMosquitto", providers: [.apt(["libmosquitto-dev"])]),
    .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .target(name: "CTOML", cxxSettings: [.unsafeFlags(["-fno-exceptions", "-fno-rtti"])]),

    module("Bytes"),
    module("Rings"),
    module("Metrics"),
    module("Settings", ["CTOML"]),
    module("IOPort", ["Bytes"]),
    module("DanubeProtocol", ["Bytes"]),
    module("Records", ["Bytes", "DanubeProtocol"]),
    module("Spool", ["Bytes", "Records", "IOPort", "CLZ4"]),
    module("MQTT", ["Bytes"]),
    module("HTTP1", ["Bytes"]),
    module("TLS", ["Bytes", "IOPort", "COpenSSL"]),
    module("JWT", ["Bytes", "COpenSSL", "CJSMN"]),
    module("GRPC", ["Bytes", "IOPort", "CNGHTTP2"]),
    module("Logs", ["Bytes", "Rings"]),
    module(
      "DanubeUplink", ["GRPC", "TLS", "DanubeProtocol", "Records", "IOPort", "Metrics", "Bytes"]),
    module("DanubeConsumer", ["GRPC", "TLS", "DanubeProtocol", "IOPort", "Metrics", "Bytes"]),
    module(
      "LocalBroker",
      [
        "GRPC", "TLS", "JWT", "DanubeProtocol", "Records", "Spool", "IOPort", "Metrics", "Bytes",
      ]),
    module(
      "Ingest", ["MQTT", "HTTP1", "Records", "IOPort", "Metrics", "Settings", "Bytes"]),
    module(
      "Delivery",
      ["Records", "Spool", "DanubeUplink", "LocalBroker", "IOPort", "Metrics", "Bytes"]),
    module("Admin", ["HTTP1", "Metrics", "Settings", "IOPort", "Bytes"]),
    module("Uring", ["CLinux", "IOPort", "Bytes"]),
    module(
      "Gateway",
      [
        "Admin", "Bytes", "DanubeConsumer", "DanubeProtocol", "DanubeUplink", "Delivery", "GRPC",
        "HTTP1", "IOPort", "Ingest", "JWT", "LocalBroker", "Logs", "MQTT", "Metrics", "Records",
        "Rings",
        "Settings", "Spool", "TLS",
      ]),
    .executableTarget(
      name: "danube-gateway",
      dependencies: [
        "Gateway", "Uring", "Settings", "IOPort", "Bytes", "Logs", "DanubeConsumer",
        "DanubeProtocol", "Admin", "Metrics", "Rings", "Spool", "CLinux", "TLS", "JWT",
      ],
      swiftSettings: strict,
      // Nobody loads the program as a library: what it does not use itself can go.
      linkerSettings: [.unsafeFlags(["-Xlinker", "--no-export-dynamic"])]),
    .executableTarget(
      name: "danube-device",
      dependencies: [.target(name: "CMosquitto"), .target(name: "CCurl")], swiftSettings: strict),

    // The bench (docs/performance.md): what it measures, and bare C beside it.
    .target(
      name: "Baseline", dependencies: ["BenchLoad", "CLZ4", "CLinux", "CNGHTTP2"],
      path: "Benchmarks/Baseline",
      cSettings: [.unsafeFlags(["-O2"])]),
    .target(
      name: "BenchLoad", dependencies: ["CLinux", "CNGHTTP2", "COpenSSL"], path: "Benchmarks/Load",
      cSettings: [.unsafeFlags(["-O2"])]),
    .target(name: "BenchKit", path: "Benchmarks/BenchKit", swiftSettings: strict),
    .executableTarget(
      name: "bench",
      dependencies: [
        "danube-gateway", "Baseline", "BenchKit", "BenchLoad", "Bytes", "CLinux",
        "CertificateRecipe", "HTTP1", "IOPort", "Ingest", "MQTT", "Records", "Rings", "Settings",
        "Spool", "Uring",
      ],
      path: "Benchmarks/Bench", swiftSettings: strict),

    .target(
      name: "Simulator", dependencies: ["IOPort", "Bytes", "GRPC", "DanubeProtocol", "TLS"],
      path: "Tests/Simulator",
      swiftSettings: testing),

    .target(
      name: "FuzzEntries",
      dependencies: ["Bytes", "MQTT", "HTTP1", "GRPC", "DanubeProtocol", "Settings", "IOPort"],
      path: "Tests/FuzzTests/Entries", swiftSettings: testing),

    .target(
      name: "BrokerFailures", dependencies: ["Simulator", "GRPC", "DanubeProtocol", "IOPort"],
      path: "Tests/BrokerFailures", swiftSettings: testing),

    tests("BytesTests", ["Bytes"]),
    tests("RingsTests", ["Rings", "CLinux"]),
    tests("MetricsTests", ["Metrics"]),
    tests("SettingsTests", ["Settings"]),
    tests("IOPortTests", ["IOPort", "Bytes"]),
    tests("DanubeProtocolTests", ["DanubeProtocol", "Bytes"]),
    tests("RecordsTests", ["Records", "Bytes", "DanubeProtocol", "Rings"]),
    tests(
      "SpoolTests",
      [
        "Spool", "Records", "DanubeProtocol", "IOPort", "Bytes", "Metrics", "Simulator", "Uring",
      ], exclude: ["Fixtures"]),
    tests("MQTTTests", ["MQTT", "Bytes"]),
    tests("HTTP1Tests", ["HTTP1", "Bytes"]),
    tests("GRPCTests", ["GRPC", "IOPort", "Bytes"]),
    .target(
      name: "TestCertificates", dependencies: ["CertificateRecipe"],
      path: "Tests/TestCertificates", exclude: ["Recipe"], swiftSettings: testing),
    .target(
      name: "CertificateRecipe", path: "Tests/TestCertificates/Recipe", swiftSettings: strict),
    tests("TLSTests", ["TLS", "IOPort", "Bytes", "TestCertificates"]),
    tests("JWTTests", ["JWT", "Bytes", "TestCertificates"]),
    tests("LogsTests", ["Logs", "Bytes"]),
    tests("UringTests", ["Uring", "IOPort", "Bytes", "Simulator"]),
    tests("AdminTests", ["Admin", "HTTP1", "IOPort", "Bytes", "Metrics", "Settings"]),
    tests(
      "DanubeUplinkTests",
      [
        "DanubeUplink", "GRPC", "DanubeProtocol", "Records", "IOPort", "Bytes", "Metrics",
        "Simulator", "TLS", "TestCertificates",
      ]),
    tests(
      "DanubeConsumerTests",
      [
        "DanubeConsumer", "Gateway", "LocalBroker", "GRPC", "DanubeProtocol", "Records", "IOPort",
        "Metrics", "Bytes", "Simulator",
      ]),
    tests(
      "LocalBrokerTests",
      [
        "LocalBroker", "DanubeConsumer", "GRPC", "DanubeProtocol", "Records", "Spool", "IOPort",
        "Bytes", "Metrics", "Simulator", "JWT", "TestCertificates",
      ]),
    tests(
      "IngestTests",
      ["Ingest", "MQTT", "HTTP1", "Records", "IOPort", "Bytes", "Settings", "Metrics"]),
    tests(
      "SimulationTests",
      [
        "Simulator", "BrokerFailures", "Gateway", "Ingest", "Delivery", "MQTT", "GRPC",
        "DanubeProtocol", "LocalBroker", "DanubeUplink", "DanubeConsumer", "Records", "IOPort",
        "Bytes", "Settings", "Metrics", "Logs", "Spool", "TLS",
      ]),
    tests(
      "GatewayTests",
      ["Gateway", "Admin", "Ingest", "Logs", "Metrics", "Settings", "IOPort", "Records", "Bytes"]),
    tests("DeviceTests", ["danube-device"]),
    tests(
      "EndToEndTests",
      ["CGRPC", "TestCertificates", "BrokerFailures", "Simulator", "Uring", "IOPort", "TLS"],
      exclude: ["Peers"]),
    tests(
      "FuzzTests", ["FuzzEntries"],
      exclude: ["Entries", "Fuzzer", "Corpus", "coverage-floor.txt"]),
    tests("BenchTests", ["BenchKit"]),
    tests("HouseRulesTests", [], exclude: ["unsafe-allow-list.txt"]),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)

// With DANUBE_FUZZ set the package is the fuzzer (docs/fuzzing.md): the modules it drives report
// which edges were taken, under AddressSanitizer. Optimised, for many runs a second, and with
// `assert` nevertheless.
let isFuzzer = Context.environment["DANUBE_FUZZ"] != nil
if isFuzzer {
  package.targets.append(
    .executableTarget(
      name: "danube-fuzz", dependencies: ["FuzzEntries"], path: "Tests/FuzzTests/Fuzzer",
      swiftSettings: testing + [.unsafeFlags(["-parse-as-library"])],
      linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]))
  for target in package.targets where target.type != .system {
    if target.name == "CTOML" {
      let flags = ["-fsanitize=fuzzer-no-link,address", "-O1"]
      target.cxxSettings = (target.cxxSettings ?? []) + [.unsafeFlags(flags)]
    } else {
      // The checks themselves take no part in what counts as reached.
      let isCheck = ["danube-fuzz", "FuzzEntries"].contains(target.name)
      let sanitizers = isCheck ? "-sanitize=address" : "-sanitize=fuzzer,address"
      let flags = [sanitizers, "-O", "-assert-config", "Debug"]
      target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(flags)]
    }
  }
}

// A sanitizer run builds twice what it needs if it builds everything: with DANUBE_TESTS_ONLY set
// ("RingsTests LogsTests") the package is these test targets and what they depend on.
if let only = isFuzzer ? "danube-fuzz" : Context.environment["DANUBE_TESTS_ONLY"] {
  var kept: Set<String> = []
  var open = only.split(separator: " ").map(String.init)
  while let name = open.popLast() {
    guard kept.insert(name).inserted else { continue }
    for dependency in package.targets.first(where: { $0.name == name })?.dependencies ?? [] {
      switch dependency {
      case .targetItem(let name, _), .byNameItem(let name, _): open.append(name)
      default: break
      }
    }
  }
  package.targets.removeAll { !kept.contains($0.name) }
  package.products = []
}
