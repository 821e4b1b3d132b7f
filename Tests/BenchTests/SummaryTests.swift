import BenchKit
import Testing

@Suite("Rounds become a line, and a line says when it is noise")
struct SummaryTests {
  private func figure(_ rate: Double?, basis: Figure.Basis = .rate, cpu: Double? = nil) -> Figure {
    var figure = Figure("x", basis: basis)
    figure.messagesPerSecond = rate
    figure.processorNanoseconds = cpu
    return figure
  }

  private func outcome(
    _ ours: [Double], _ limit: [Double], basis: Figure.Basis = .rate
  ) -> Outcome {
    func figures(_ values: [Double]) -> [Figure] {
      values.map {
        figure(basis == .rate ? $0 : nil, basis: basis, cpu: basis == .rate ? nil : $0)
      }
    }
    return Outcome(scenario: "s", ours: Summary(figures(ours)), limit: Summary(figures(limit)))
  }

  @Test("The median is the middle, the spread the range over it")
  func spread() throws {
    let odd = try #require(Spread([3, 1, 2]))
    #expect(odd.median == 2 && odd.relative == 1)
    #expect(Spread([4, 1, 2, 3])?.median == 2.5)
    #expect(Spread([]) == nil)
    #expect(Spread([7])?.relative == 0)
    #expect(Spread([0, 0])?.relative == 0)
  }

  @Test("Each value has its own median, and what was never measured stays unmeasured")
  func medians() throws {
    var rounds = [figure(100, cpu: 9), figure(300, cpu: nil), figure(200, cpu: 5)]
    rounds[1].extras = [Figure.Extra("only here", 1, .count)]
    rounds[0].extras = [Figure.Extra("start", 8, .nanoseconds)]
    rounds[2].extras = [Figure.Extra("start", 4, .nanoseconds)]
    let summary = try #require(Summary(rounds))
    #expect(summary.figure.messagesPerSecond == 200)
    #expect(summary.figure.processorNanoseconds == 7)
    #expect(summary.figure.systemCalls == nil)
    #expect(summary.figure.extras == [Figure.Extra("start", 6, .nanoseconds)])
    #expect(summary.rounds == 3)
    #expect(Summary([]) == nil)
  }

  @Test("Latencies of all rounds are one histogram")
  func latencies() throws {
    var rounds = [figure(1), figure(1)]
    for (index, value) in [UInt64(10), 200].enumerated() {
      var histogram = Histogram()
      histogram.record(value)
      rounds[index].latency = histogram
    }
    let latency = try #require(Summary(rounds)?.figure.latency)
    #expect(latency.count == 2 && latency.maximum == 200)
  }

  @Test("Half as good is 50 %, of what should be much and of what should be little")
  func ofLimit() {
    #expect(outcome([50, 50, 50], [100, 100, 100]).ofLimit == 0.5)
    #expect(outcome([200, 200], [100, 100], basis: .processorTime).ofLimit == 0.5)
    #expect(Outcome(scenario: "s", ours: Summary([figure(1)])).ofLimit == nil)
  }

  @Test("A limit whose rounds lie far apart, or a machine that others use, is noise")
  func noise() {
    #expect(!outcome([50, 90], [100, 101]).isNoisy, "the limit was steady: this is ours")
    #expect(outcome([50, 50, 50], [100, 100, 140]).isNoisy)
    #expect(!outcome([50, 50, 50], [100, 100, 124]).isNoisy)
    var alone = Outcome(scenario: "s", ours: Summary([figure(50), figure(90)]))
    #expect(alone.isNoisy, "without a limit our own rounds have to do")
    alone = outcome([50], [100])
    alone.othersShare = 0.1
    #expect(!alone.isNoisy)
    alone.othersShare = 0.5
    #expect(alone.isNoisy)
  }
}
