// What a member counts, for anyone to read while it runs.
//
// Threads: the agent writes but for what others copied, any reads.
#ifndef FRESHET_AGENT_AGENT_COUNTERS_H_
#define FRESHET_AGENT_AGENT_COUNTERS_H_

#include <atomic>
#include <cstdint>

#include "native/core/work_meter.h"
#include "native/io/transport.h"

namespace freshet {

// Names are those that `counters` of the binding shows.
#define FRESHET_AGENT_COUNTERS(X)                                  \
  X(passes)            /* of the duty cycle */                     \
  X(sleeps)            /* waits in the kernel */                   \
  X(commands)          /* taken from the event loop */             \
  X(droppedUnanswered) /* submissions refused, ack `none` */       \
  X(events)            /* of subscriptions, handed on */           \
  X(messages)          /* of members, handed on */                 \
  X(peersUp)                                                       \
  X(peersLost)                                                     \
  X(epochsStopped) /* by a lost or broken peer */                  \
  X(bytesWritten)                                                  \
  X(bytesRead)                                                     \
  X(systemCalls)                                                   \
  X(copiedBytes)   /* by the agent: records, values */             \
  X(protocolNanos) /* of the agent's time; work_meter.h */         \
  X(copyNanos)                                                     \
  X(systemNanos)                                                   \
  X(idleNanos)                                                     \
  X(droppedWrites)                                                 \
  X(refusedConnections)                                            \
  X(logBatches)                                                    \
  X(logBytes)                                                      \
  X(recoveredRecords) /* by openShard, counted as they are read */ \
  X(queriesWaiting)

// Bytes of records and values that other threads copied, each on a cache line of its own.
#define FRESHET_COPY_COUNTERS(X)                                       \
  X(loopCopiedBytes)   /* the event loop's: changes taken in, reads */ \
  X(jobCopiedBytes)    /* the query thread's: results of scans */      \
  X(lambdaCopiedBytes) /* threads' that are attached: reads of lambdas */

struct AgentCounters {
#define FRESHET_COUNTER_MEMBER(name) std::atomic<uint64_t> name{0};
  FRESHET_AGENT_COUNTERS(FRESHET_COUNTER_MEMBER)
#undef FRESHET_COUNTER_MEMBER
#define FRESHET_COPY_COUNTER_MEMBER(name) alignas(64) std::atomic<uint64_t> name{0};
  FRESHET_COPY_COUNTERS(FRESHET_COPY_COUNTER_MEMBER)
#undef FRESHET_COPY_COUNTER_MEMBER

  // With one writer a plain addition does.
  static void add(std::atomic<uint64_t>& counter, uint64_t count = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  void show(const WorkMeter& from) {
    copiedBytes.store(from.copied_bytes(), std::memory_order_relaxed);
    protocolNanos.store(from.spent(Work::kProtocol), std::memory_order_relaxed);
    copyNanos.store(from.spent(Work::kCopy), std::memory_order_relaxed);
    systemNanos.store(from.spent(Work::kSystem), std::memory_order_relaxed);
    idleNanos.store(from.spent(Work::kIdle), std::memory_order_relaxed);
  }
  void show(const TransportCounters& from) {
    bytesWritten.store(from.bytes_written, std::memory_order_relaxed);
    bytesRead.store(from.bytes_read, std::memory_order_relaxed);
    systemCalls.store(from.system_calls, std::memory_order_relaxed);
    droppedWrites.store(from.dropped_writes, std::memory_order_relaxed);
    refusedConnections.store(from.refused_connections, std::memory_order_relaxed);
  }
};

}  // namespace freshet

#endif  // FRESHET_AGENT_AGENT_COUNTERS_H_
