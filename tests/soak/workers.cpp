#include "soak/workers.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <thread>

#include "core/error.h"
#include "data/made_clips.h"

namespace laban::soak {
namespace {

using Clock = std::chrono::steady_clock;

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

int64_t resident_bytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

/// What a child tells its parent.
struct Slot {
  std::atomic<int64_t> number{-1};  // the file in work; -1: none
  std::atomic<int64_t> began_ms{0};
  std::atomic<int64_t> resident{0};
};

/// Memory that parent and children share.
struct Board {
  static constexpr int kMostWorkers = 64;
  std::atomic<int64_t> next{0}, read{0}, refused{0}, slowest_ms{0}, slowest_number{0};
  Slot slots[kMostWorkers];
  static_assert(std::atomic<int64_t>::is_always_lock_free);

  int64_t done() const { return read + refused; }
};

struct Unmap {
  void operator()(Board* board) const { ::munmap(board, sizeof(Board)); }
};
std::unique_ptr<Board, Unmap> shared_board() {
  void* const memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return std::unique_ptr<Board, Unmap>(new (memory) Board);
}

/// A child's life.
void work(const Plan& plan, Board& board, Slot& slot, int child) {
  while (true) {
    const int64_t i = board.next++;
    if (i >= plan.files) break;
    const int64_t number = plan.first + i;
    const Damaged damaged = damaged_file(plan.clips, plan.seed, number);
    const std::filesystem::path file = plan.scratch / (std::to_string(child) + damaged.extension);
    test::write_bytes(file, damaged.bytes);
    const int64_t begin = now_ms();
    slot.began_ms = begin;
    slot.number = number;
    (use(file, number) ? board.read : board.refused)++;
    slot.number = -1;
    slot.resident = resident_bytes();
    const int64_t took = now_ms() - begin;
    if (took > board.slowest_ms) board.slowest_ms = took, board.slowest_number = number;
  }
}

class Parent {
 public:
  explicit Parent(const Plan& plan) : plan_(plan), board_(shared_board()) {
    require(plan.workers > 0 && plan.workers <= Board::kMostWorkers, "soak: too many workers, or none");
  }

  Outcome run(const std::function<void(int64_t)>& progress) {
    const Clock::time_point begin = Clock::now();
    for (int child = 0; child < plan_.workers; ++child) start(child);
    for (int64_t told = 0; alive_ > 0;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      for (int child = 0; child < plan_.workers; ++child) look_after(child);
      note_memory();
      if (const int64_t done = handled(); done >= told + 500) progress(told = done);
    }
    outcome_.read = board_->read, outcome_.refused = board_->refused;
    outcome_.slowest = 1e-3 * static_cast<double>(board_->slowest_ms);
    outcome_.slowest_number = board_->slowest_number;
    outcome_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return std::move(outcome_);
  }

 private:
  int64_t handled() const { return board_->done() + static_cast<int64_t>(outcome_.findings.size()); }

  void start(int child) {
    const pid_t process = ::fork();
    if (process < 0) throw Error(text("no child process: ", std::strerror(errno)));
    if (process == 0) {
      work(plan_, *board_, board_->slots[child], child);
      std::exit(0);  // and not _exit: LeakSanitizer looks when a process ends
    }
    processes_[child] = process;
    ++alive_;
  }

  void look_after(int child) {
    if (processes_[child] == 0) return;
    Slot& slot = board_->slots[child];
    int status = 0;
    if (::waitpid(processes_[child], &status, WNOHANG) != 0) {
      processes_[child] = 0;
      --alive_;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
      found(child, WIFSIGNALED(status)
                       ? text("signal ", WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")")
                       : text("exit code ", WEXITSTATUS(status)));
    } else if (slot.number >= 0 && now_ms() - slot.began_ms > static_cast<int64_t>(1000 * plan_.patience)) {
      ::kill(processes_[child], SIGKILL);
      ::waitpid(processes_[child], &status, 0);
      processes_[child] = 0;
      --alive_;
      found(child, text("nothing for ", plan_.patience, " seconds"));
    }
  }

  void found(int child, std::string what) {
    Slot& slot = board_->slots[child];
    outcome_.findings.push_back({slot.number.exchange(-1), std::move(what)});
    slot.resident = 0;
    if (board_->next < plan_.files) start(child);
  }

  void note_memory() {
    const auto tenths = static_cast<int64_t>(outcome_.resident.size());
    if (tenths >= 10 || handled() < plan_.files * (tenths + 1) / 10) return;
    int64_t bytes = 0;
    for (int child = 0; child < plan_.workers; ++child) bytes += board_->slots[child].resident;
    outcome_.resident.push_back(bytes);
  }

  const Plan& plan_;
  std::unique_ptr<Board, Unmap> board_;
  pid_t processes_[Board::kMostWorkers] = {};
  int alive_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome soak(const Plan& plan, const std::function<void(int64_t)>& progress) {
  return Parent(plan).run(progress);
}

}  // namespace laban::soak
