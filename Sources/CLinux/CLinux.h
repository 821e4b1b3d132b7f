// The door to Linux and liburing.
// <features.h> comes first: without it <liburing.h> clashes over fd_set.
#pragma once
#include <features.h>
#include <liburing.h>
#include <malloc.h>
