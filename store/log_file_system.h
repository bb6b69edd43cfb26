#pragma once
// A file system for RocksDB whose write-ahead logs are really written before they are used.
//
// A sync of an append must also write the file's new size: two waits for the disk. Where the bytes
// were written before, the size stays and only data is waited for. So a log is filled with zeros
// some way ahead of its end. RocksDB skips zeros when it reads a log back; closing a log cuts them
// off, and after a crash they stay behind the last record until the log is deleted.
//
// It also keeps the list of the logs that there have to be (store/log_list.h).
//
// Concurrency: as RocksDB calls it; a log has one writer. Nothing but *.log files is touched.

#include <memory>

namespace rocksdb {
class FileSystem;
}

namespace tokend::store {

[[nodiscard]] std::shared_ptr<rocksdb::FileSystem> make_log_file_system(
    const std::shared_ptr<rocksdb::FileSystem>& base);

}  // namespace tokend::store
