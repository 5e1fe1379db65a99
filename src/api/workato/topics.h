#pragma once

#include "weir/api/guard.h"
#include "weir/http/message.h"

/// Topic management: list, create, get, update, purge, delete.
namespace weir::api::workato {

struct Door;

http::Admission begin_list(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);
/// A token with a list of topics may not create: nobody could have put the new one on it.
http::Admission begin_create(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);
http::Admission begin_get(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);
http::Admission begin_update(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);
http::Admission begin_purge(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);
http::Admission begin_delete(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);

}  // namespace weir::api::workato
