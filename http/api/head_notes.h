#pragma once
// What follows from a request's head alone and from nothing that can change, so that it need not be
// found out again for a head that repeats the one before it (http::Exchange::notes). Whether the
// token is valid is no part of it: that is asked each time.

#include "http/api/route.h"
#include "http/session.h"
#include "store/token.h"

namespace tokend::api {

struct HeadNotes {
  const Route* route;  // that serves the request; nullptr: not noted
  bool has_proof;
  store::TokenProof proof;  // of the token in it
};

}  // namespace tokend::api
