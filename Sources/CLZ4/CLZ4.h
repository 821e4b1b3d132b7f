// The door to liblz4: its block interface.
#pragma once
#include <lz4.h>
