// False sharing: what one thread writes for each request or batch has cache lines of its own. Most
// of it is made for one core, or one shard, after the other, and so lies side by side.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "core/cache_line.h"
#include "core/mailbox.h"
#include "core/metrics.h"
#include "core/slab.h"
#include "core/thread_waker.h"
#include "http/metrics.h"
#include "store/committer.h"
#include "store/issuing_shard.h"
#include "store/store.h"
#include "store/token.h"
#include "store/token_issuer.h"
#include "store/worker_pool.h"
#include "store/write_state.h"

namespace tokend::api {
namespace {

template <class T>
constexpr bool kHasLinesOfItsOwn = alignof(T) % core::kCacheLineBytes == 0;

TEST(Layout, WhatACoreWritesIsInNoOthersLines) {
  EXPECT_TRUE(kHasLinesOfItsOwn<core::CoreMetrics>);
  EXPECT_TRUE(kHasLinesOfItsOwn<http::HttpMetrics::Kind>);
  EXPECT_TRUE(kHasLinesOfItsOwn<store::Store::Counters>);
  core::Slab slab(4, 1);
  void* const one = slab.take();
  void* const other = slab.take();
  EXPECT_NE(reinterpret_cast<std::uintptr_t>(one) / core::kCacheLineBytes,
            reinterpret_cast<std::uintptr_t>(other) / core::kCacheLineBytes);
}

TEST(Layout, WhatTheCommitterWritesIsInNoOthersLines) {
  EXPECT_TRUE(kHasLinesOfItsOwn<store::Committer::Counters>);
  // Which every shard reads.
  EXPECT_TRUE(kHasLinesOfItsOwn<store::WriteState>);
}

TEST(Layout, WhatAShardWritesIsInNoOthersLines) {
  EXPECT_TRUE(kHasLinesOfItsOwn<store::IssuingShard>);
  EXPECT_TRUE(kHasLinesOfItsOwn<store::TokenIssuer>);
  EXPECT_TRUE(kHasLinesOfItsOwn<store::RandomBytes>);
  EXPECT_TRUE(kHasLinesOfItsOwn<core::ThreadWaker>);
}

TEST(Layout, AMailboxsWordIsNotInItsOwnersLines) {
  EXPECT_TRUE(kHasLinesOfItsOwn<core::Mailbox>);
  EXPECT_TRUE(kHasLinesOfItsOwn<store::WorkerPool>);
}

}  // namespace
}  // namespace tokend::api
