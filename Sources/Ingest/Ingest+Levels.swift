import IOPort
import Metrics
import Records

// What is told to metrics once a turn or once a batch.
extension Ingest {
  /// Tells how full everything is. Once a turn.
  func tellLevels() {
    metrics.inputBytes.set(inputBytes)
    metrics.mqtt.topicAliasBytes.set(aliasBytes)
    metrics.mqtt.wills.set(wills.table.count)
    metrics.mqtt.willBytes.set(wills.byteCount)
    metrics.topics.set(webhooks.lanes.count)
    metrics.batchBytes.set(batcher.store.bytesInUse)
    metrics.batches.set(batcher.store.batchesInUse)
    metrics.memoryExhausted.set(Int64(batcher.isExhausted ? 1 : 0))
    metrics.waitingForRecordMemory.set(waiting.count)
    metrics.waitingForInputMemory.set(inputWaiting.count + webhookInputWaiting.count)
  }

  /// Tells how many sealed batches found no room in the ring to delivery. Once a turn, after they
  /// were handed over.
  public func tellSealedBatches() { metrics.sealedBatches.set(batcher.handoverCount) }

  /// Tells of the batch that delivery gets now.
  func noteHandover() {
    guard let handover = batcher.nextHandover else { return }
    switch handover.kind {
    case .sealed:
      metrics.batchRecords.record(UInt64(batcher.store.recordCount(of: handover.batch)))
      metrics.batchSizes.record(UInt64(batcher.store.byteCount(of: handover.batch)))
    case .compacted: metrics.batchCompactions.add(1)
    }
  }
}
