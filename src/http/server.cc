#include "weir/http/server.h"

#include <atomic>
#include <thread>
#include <utility>

#include <pthread.h>

#include "http/connection.h"
#include "http/context.h"
#include "http/listener.h"

namespace weir::http {

namespace {
constexpr std::size_t kThreadsMax = 1024;
}

struct Server::Impl {
  std::shared_ptr<Shared> shared;
  std::vector<std::shared_ptr<LoopContext>> contexts;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::vector<std::thread> threads;
  std::string address;
  bool started = false;
  bool stopped = false;

  std::size_t requests_open() const {
    std::size_t sum = 0;
    for (const auto& context : contexts) sum += context->requests_open.load();
    return sum;
  }
};

Server::Server() : impl_(std::make_unique<Impl>()) {}

Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::bind(ServerOptions options, const Clock& clock, Random& random) {
  if (options.threads < 1 || options.threads > kThreadsMax) {
    return make_error(Errc::config_invalid, "the server needs 1 to " + std::to_string(kThreadsMax) + " threads");
  }
  if (options.header_bytes_max < 64 || options.header_bytes_max > (1 << 24) || options.connections_max < 1) {
    return make_error(Errc::config_invalid, "header_bytes_max is 64 to 16777216, connections_max at least 1");
  }
  const std::string listen = options.listen;
  WEIR_TRY(Address address, resolve_listen_address(listen));
  if (address.port() != 0) {
    WEIR_TRY(probe_listen_address(address, listen));
  }

  std::unique_ptr<Server> server(new Server());
  Impl& impl = *server->impl_;
  const std::size_t threads = options.threads;
  impl.shared = std::make_shared<Shared>(std::move(options), clock, random);
  for (std::size_t i = 0; i < threads; ++i) {
    impl.contexts.push_back(std::make_shared<LoopContext>(impl.shared, i));
    impl.listeners.push_back(std::make_unique<Listener>(impl.contexts.back()));
    WEIR_TRY(impl.listeners.back()->open(address, threads > 1, listen));
    address = impl.listeners.front()->local_address();  // port 0: the others take what the first was given
  }
  impl.address = address.to_string();
  return server;
}

std::string Server::address() const {
  return impl_->address;
}

std::vector<Loop*> Server::loops() {
  std::vector<Loop*> loops;
  for (const auto& context : impl_->contexts) loops.push_back(&context->loop);
  return loops;
}

void Server::set_end_of_round(std::size_t index, UniqueFunction<bool()> hook) {
  LoopImpl& loop = impl_->contexts[index]->loop;
  if (!impl_->started) {
    loop.set_end_of_round(std::move(hook));
    return;
  }
  loop.post([&loop, hook = std::move(hook)]() mutable { loop.set_end_of_round(std::move(hook)); });
}

void Server::start(std::vector<Route> routes) {
  Impl& impl = *impl_;
  impl.shared->router = Router(std::move(routes));
  impl.started = true;
  for (std::size_t i = 0; i < impl.contexts.size(); ++i) {
    impl.threads.emplace_back([context = impl.contexts[i].get()] { context->loop.run(); });
    pthread_setname_np(impl.threads.back().native_handle(), ("http-" + std::to_string(i)).c_str());
  }
}

void Server::begin_drain() {
  Impl& impl = *impl_;
  if (impl.shared->draining.exchange(true)) return;
  for (std::size_t i = 0; i < impl.contexts.size(); ++i) {
    LoopContext* const context = impl.contexts[i].get();
    context->loop.post([context, listener = impl.listeners[i].get()] {
      listener->close();
      for (Connection* connection = context->connections; connection != nullptr;) {
        Connection* const next = connection->next_in_loop();
        connection->drain();
        connection = next;
      }
      std::lock_guard lock(context->shared->drain_mutex);
      ++context->shared->loops_drained;
      context->shared->drain_changed.notify_all();
    });
  }
}

std::size_t Server::wait_drained(SteadyTime deadline) {
  Impl& impl = *impl_;
  std::unique_lock lock(impl.shared->drain_mutex);
  impl.shared->drain_changed.wait_until(
      lock, deadline, [&] { return impl.shared->loops_drained == impl.contexts.size() && impl.requests_open() == 0; });
  return impl.requests_open();
}

void Server::stop() {
  Impl& impl = *impl_;
  if (std::exchange(impl.stopped, true)) return;
  for (std::size_t i = 0; i < impl.contexts.size(); ++i) {
    LoopContext* const context = impl.contexts[i].get();
    if (!impl.started) {
      impl.listeners[i]->close();
      context->loop.close_mailbox();
      continue;
    }
    context->loop.post([context, listener = impl.listeners[i].get()] {
      listener->close();
      while (context->connections != nullptr) context->connections->close();
      context->loop.quit();
    });
  }
  for (std::thread& thread : impl.threads) thread.join();
}

std::size_t Server::connections_open() const {
  return impl_->shared->connections.load(std::memory_order_relaxed);
}

}  // namespace weir::http
