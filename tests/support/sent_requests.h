#pragma once
// What a client has asked for so far, read from the bytes that it sent: which request the next
// response answers. It reads requests as far as tests write them well; of those that are no
// requests it says nothing, because what answers them is described without a path.
//
// Concurrency: any thread.

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace tokend::tests {

struct Asked {
  std::string method;
  std::string path;  // without the query
};

class SentRequests {
 public:
  // Before the bytes are sent, so that no answer comes first.
  void add(std::string_view bytes);
  // The oldest request that was not yet taken and whose head is whole; else nothing.
  [[nodiscard]] std::optional<Asked> take();

 private:
  enum class Reads { head, body, chunk_size, trailers };

  // False: the next part is not there yet.
  [[nodiscard]] bool read_part();
  [[nodiscard]] bool read_head();
  void skip_body();
  // Without its end; nothing when there is none yet.
  [[nodiscard]] std::optional<std::string> take_line();

  std::mutex mutex_;
  std::string unread_;
  std::deque<Asked> asked_;
  Reads reads_ = Reads::head;
  bool chunked_ = false;
  std::size_t body_left_ = 0;  // of the body, or of the chunk and the end of its line
};

}  // namespace tokend::tests
