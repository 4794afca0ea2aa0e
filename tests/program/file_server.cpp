#include "program/file_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace laban::test {
namespace {

void send_all(int client, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the client has gone
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

/// The value of a line of a request's head; empty where there is none.
std::string field(const std::string& head, const std::string& name) {
  const size_t at = head.find("\r\n" + name + ": ");
  if (at == head.npos) return "";
  const size_t begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace

FileServer::FileServer(Manners manners) : manners_(std::move(manners)) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(here);
  if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&here), size) != 0 ||
      ::listen(socket_, 8) != 0 || ::getsockname(socket_, reinterpret_cast<sockaddr*>(&here), &size) != 0)
    throw std::runtime_error("no server on the loopback");
  port_ = ntohs(here.sin_port);
  thread_ = std::thread([this] { serve(); });
}

FileServer::~FileServer() {
  stop_ = true;
  thread_.join();
  ::close(socket_);
}

std::string FileServer::address(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

void FileServer::set(Manners manners) {
  const std::lock_guard lock(mutex_);
  manners_ = std::move(manners);
}

std::vector<std::string> FileServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FileServer::serve() {
  while (!stop_) {
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, 20) <= 0) continue;
    const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    answer(client);
    ::close(client);
  }
}

void FileServer::answer(int client) {
  std::string head;
  char byte = 0;
  while (!head.ends_with("\r\n\r\n") && ::recv(client, &byte, 1, 0) == 1) head += byte;
  Manners manners;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(head);
    manners = manners_;
    manners_.cut_after = -1;
    if (!manners_.location.empty()) manners_.status = 0, manners_.location.clear();
  }
  const auto size = static_cast<int64_t>(manners.body.size());
  int64_t begin = 0;
  const std::string range = field(head, "Range"), condition = field(head, "If-Range");
  const bool wanted =
      range.starts_with("bytes=") && manners.ranges && (condition.empty() || condition == manners.etag);
  if (wanted) begin = std::stoll(range.substr(6));
  int status = manners.status != 0 ? manners.status : wanted ? 206 : 200;
  if (wanted && begin >= size) status = 416;
  std::string body = status == 416 ? "" : manners.body.substr(static_cast<size_t>(begin));
  std::string answer = "HTTP/1.1 " + std::to_string(status) + " So\r\nConnection: close\r\n";
  if (!manners.location.empty()) answer += "Location: " + manners.location + "\r\n";
  if (!manners.etag.empty()) answer += "ETag: " + manners.etag + "\r\n";
  if (status == 206)
    answer += "Content-Range: bytes " + std::to_string(begin) + "-" + std::to_string(size - 1) + "/" +
              std::to_string(size) + "\r\n";
  if (status == 416) answer += "Content-Range: bytes */" + std::to_string(size) + "\r\n";
  if (manners.length) answer += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  send_all(client, answer + "\r\n");
  const auto first = [&](int64_t bytes) {
    return std::string_view(body).substr(0, static_cast<size_t>(bytes));
  };
  if (manners.cut_after >= 0) return send_all(client, first(manners.cut_after));
  if (manners.stall_after < 0) return send_all(client, body);
  send_all(client, first(manners.stall_after));
  pollfd gone{client, POLLIN, 0};  // readable once the client has hung up
  while (!stop_ && ::poll(&gone, 1, 20) == 0) {
  }
}

}  // namespace laban::test
