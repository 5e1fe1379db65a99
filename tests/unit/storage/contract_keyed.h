#pragma once

#include "unit/storage/contract_fixture.h"

/// Keyed state: get, list, and writes that hold together.
namespace weir::storage::contract {

using Entries = std::vector<std::pair<std::string, std::string>>;

class KeyedContract : public StoreContract {
 protected:
  using Value = std::optional<std::string>;
  static KeyedWrite put(Table table, std::string key, std::string text) {
    return KeyedWrite{table, std::move(key), std::move(text), std::nullopt};
  }
  static KeyedWrite erase(Table table, std::string key) {
    return KeyedWrite{table, std::move(key), std::nullopt, std::nullopt};
  }
  static KeyedWrite expecting(KeyedWrite change, Value there) {
    change.expected = KeyedWrite::Expected{std::move(there)};
    return change;
  }
  void write(std::vector<KeyedWrite> changes) { succeed(store_->write(std::move(changes))); }
  Value get(Table table, std::string_view key) { return value(store_->get(table, key)); }
  Entries list(Table table, std::string_view prefix) { return value(store_->list(table, prefix)); }
};

TEST_P(KeyedContract, GetsWhatWasWritten) {
  EXPECT_EQ(get(Table::topics, "a"), std::nullopt);
  write({put(Table::topics, "a", "1")});
  EXPECT_EQ(get(Table::topics, "a"), "1");
  write({put(Table::topics, "a", "2")});
  EXPECT_EQ(get(Table::topics, "a"), "2");
  EXPECT_EQ(get(Table::topics, ""), std::nullopt);
  EXPECT_EQ(get(Table::topics, "aa"), std::nullopt);
}

TEST_P(KeyedContract, ErasesAKey) {
  write({put(Table::tokens, "a", "1"), put(Table::tokens, "b", "2")});
  write({erase(Table::tokens, "a")});
  EXPECT_EQ(get(Table::tokens, "a"), std::nullopt);
  EXPECT_EQ(list(Table::tokens, ""), (Entries{{"b", "2"}}));
  write({erase(Table::tokens, "a"), erase(Table::tokens, "never there")});
  EXPECT_EQ(list(Table::tokens, ""), (Entries{{"b", "2"}}));
}

TEST_P(KeyedContract, AnEmptyValueIsNotAMissingOne) {
  write({put(Table::meta, "contract/empty", "")});
  EXPECT_EQ(get(Table::meta, "contract/empty"), "");
  EXPECT_EQ(list(Table::meta, "contract/"), (Entries{{"contract/empty", ""}}));
  WEIR_EXPECT_ERROR(store_->write({expecting(put(Table::meta, "contract/empty", "x"), std::nullopt)}), Errc::conflict);
  write({expecting(put(Table::meta, "contract/empty", "x"), "")});
  EXPECT_EQ(get(Table::meta, "contract/empty"), "x");
}

TEST_P(KeyedContract, ListsByPrefixInKeyOrder) {
  write({put(Table::topics, "b/2", "4"), put(Table::topics, "a", "1"), put(Table::topics, "b", "2"),
         put(Table::topics, "b/1", "3"), put(Table::topics, "c", "6"), put(Table::topics, "b/10", "5")});
  EXPECT_EQ(list(Table::topics, "b/"), (Entries{{"b/1", "3"}, {"b/10", "5"}, {"b/2", "4"}}));
  EXPECT_EQ(list(Table::topics, "b"), (Entries{{"b", "2"}, {"b/1", "3"}, {"b/10", "5"}, {"b/2", "4"}}));
  EXPECT_EQ(list(Table::topics, "").size(), 6u);
  EXPECT_EQ(list(Table::topics, "c"), (Entries{{"c", "6"}}));
  EXPECT_EQ(list(Table::topics, "b/3"), Entries{});
  EXPECT_EQ(list(Table::topics, "d"), Entries{});
}

TEST_P(KeyedContract, TreatsKeysAsUnsignedBytes) {
  const std::string top = "\xff\xff";
  const std::string zero("a\0b", 3);
  const std::string data("\0\x01\xff", 3);
  write({put(Table::topics, top, data), put(Table::topics, top + "x", "2"), put(Table::topics, zero, "3"),
         put(Table::topics, "a", "4"), put(Table::topics, "\x7f", "5"), put(Table::topics, "\x80", "6")});
  EXPECT_EQ(list(Table::topics, ""),
            (Entries{{"a", "4"}, {zero, "3"}, {"\x7f", "5"}, {"\x80", "6"}, {top, data}, {top + "x", "2"}}));
  EXPECT_EQ(list(Table::topics, top), (Entries{{top, data}, {top + "x", "2"}}));
  EXPECT_EQ(list(Table::topics, "\xff").size(), 2u);
  EXPECT_EQ(list(Table::topics, std::string_view("a\0", 2)), (Entries{{zero, "3"}}));
  EXPECT_EQ(get(Table::topics, top), data);
}

TEST_P(KeyedContract, TablesAreKeySpacesOfTheirOwn) {
  write({put(Table::topics, "contract/k", "topic"), put(Table::tokens, "contract/k", "token"),
         put(Table::meta, "contract/k", "meta")});
  EXPECT_EQ(get(Table::topics, "contract/k"), "topic");
  EXPECT_EQ(get(Table::tokens, "contract/k"), "token");
  EXPECT_EQ(get(Table::meta, "contract/k"), "meta");
  write({erase(Table::tokens, "contract/k")});
  EXPECT_EQ(get(Table::topics, "contract/k"), "topic");
  EXPECT_EQ(list(Table::tokens, ""), Entries{});
  EXPECT_EQ(list(Table::topics, ""), (Entries{{"contract/k", "topic"}}));
}

TEST_P(KeyedContract, WritesWhenTheExpectationHolds) {
  write({expecting(put(Table::topics, "a", "1"), std::nullopt)});
  write({expecting(put(Table::topics, "a", "2"), "1")});
  EXPECT_EQ(get(Table::topics, "a"), "2");
  write({expecting(erase(Table::topics, "a"), "2")});
  EXPECT_EQ(get(Table::topics, "a"), std::nullopt);
}

TEST_P(KeyedContract, RefusesWhenTheExpectationDoesNotHold) {
  WEIR_EXPECT_ERROR(store_->write({expecting(put(Table::topics, "a", "2"), "1")}), Errc::conflict);
  EXPECT_EQ(get(Table::topics, "a"), std::nullopt);
  write({put(Table::topics, "a", "1")});
  WEIR_EXPECT_ERROR(store_->write({expecting(put(Table::topics, "a", "2"), std::nullopt)}), Errc::conflict);
  WEIR_EXPECT_ERROR(store_->write({expecting(put(Table::topics, "a", "2"), "0")}), Errc::conflict);
  WEIR_EXPECT_ERROR(store_->write({expecting(erase(Table::topics, "a"), "0")}), Errc::conflict);
  EXPECT_EQ(get(Table::topics, "a"), "1");
}

TEST_P(KeyedContract, AConflictWritesNothingAtAll) {
  write({put(Table::topics, "a", "1"), put(Table::tokens, "t", "1")});
  WEIR_EXPECT_ERROR(
      store_->write({put(Table::topics, "new", "1"), erase(Table::tokens, "t"),
                     expecting(put(Table::topics, "a", "2"), "wrong"), put(Table::topics, "also new", "1")}),
      Errc::conflict);
  EXPECT_EQ(list(Table::topics, ""), (Entries{{"a", "1"}}));
  EXPECT_EQ(list(Table::tokens, ""), (Entries{{"t", "1"}}));
  reopen();
  EXPECT_EQ(list(Table::topics, ""), (Entries{{"a", "1"}}));
  EXPECT_EQ(list(Table::tokens, ""), (Entries{{"t", "1"}}));
}

TEST_P(KeyedContract, ChangesOfOneWriteHappenTogether) {
  write({put(Table::topics, "a", "1"), put(Table::topics, "b", "1")});
  write({expecting(put(Table::topics, "a", "2"), "1"), expecting(erase(Table::topics, "b"), "1"),
         expecting(put(Table::tokens, "c", "3"), std::nullopt)});
  EXPECT_EQ(list(Table::topics, ""), (Entries{{"a", "2"}}));
  EXPECT_EQ(list(Table::tokens, ""), (Entries{{"c", "3"}}));
}

TEST_P(KeyedContract, AWriteOfNothingSucceeds) {
  write({});
  EXPECT_EQ(list(Table::topics, ""), Entries{});
}

TEST_P(KeyedContract, KeepsLargeValues) {
  const std::string large(1 << 20, 'v');
  write({put(Table::topics, "large", large)});
  EXPECT_EQ(get(Table::topics, "large"), large);
  reopen();
  EXPECT_EQ(get(Table::topics, "large"), large);
}

TEST_P(KeyedContract, KeepsEverythingAcrossReopen) {
  write({put(Table::topics, "a", "1"), put(Table::topics, "b", "2"), put(Table::tokens, "a", "3"),
         put(Table::meta, "contract/a", "4")});
  write({erase(Table::topics, "b"), put(Table::topics, "a", "5")});
  reopen();
  EXPECT_EQ(list(Table::topics, ""), (Entries{{"a", "5"}}));
  EXPECT_EQ(list(Table::tokens, ""), (Entries{{"a", "3"}}));
  EXPECT_EQ(list(Table::meta, "contract/"), (Entries{{"contract/a", "4"}}));
}

TEST_P(KeyedContract, KeyedStateAndLogsDoNotTouchEachOther) {
  append(kOrders, {"a"});
  write({put(Table::topics, "1", "x")});
  drop(kOrders);
  EXPECT_EQ(get(Table::topics, "1"), "x");
  write({erase(Table::topics, "1")});
  append(kInvoices, {"b"});
  EXPECT_EQ(payloads_of(read(kInvoices)), (Texts{"b"}));
}

// Every increment is a read and a compare-and-set that starts over when it lost.
TEST_P(KeyedContract, ConcurrentCompareAndSetLosesNoIncrement) {
  constexpr std::size_t kThreads = 4;
  constexpr int kIncrements = 25;
  write({put(Table::meta, "contract/counter", "0")});
  in_parallel(kThreads, [this](std::size_t) {
    for (int done = 0; done < kIncrements;) {
      const std::string seen = get(Table::meta, "contract/counter").value();
      const auto written =
          store_->write({expecting(put(Table::meta, "contract/counter", std::to_string(std::stoi(seen) + 1)), seen)});
      if (written) {
        ++done;
      } else if (written.error().code != Errc::conflict) {
        ADD_FAILURE() << written.error().detail;
        return;
      }
    }
  });
  EXPECT_EQ(get(Table::meta, "contract/counter"), std::to_string(kThreads * kIncrements));
}

}  // namespace weir::storage::contract
