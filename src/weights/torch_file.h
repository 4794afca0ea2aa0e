// What torch.save writes, read without PyTorch and without executing anything.
//
// Since PyTorch 1.6 a zip file (zip.h), its entries stored as they are:
//   NAME/data.pkl    a pickle (pickle.h) of the saved object; its tensors name storages by a key
//   NAME/data/KEY    the bytes of a storage
//   NAME/byteorder   "little" or "big" (newer files only)
// Before, pickles one behind the other, then the storages:
//   a magic number, the protocol's version, a description of the machine, the object, the list of keys;
//   for each key 8 bytes with the number of elements, and the elements
// The very first versions wrote a tar archive; those are refused, with what to do.
#pragma once

#include "weights/state_dict.h"

namespace laban {

/// Tells by the first bytes; a file that is neither this nor that is not one.
bool is_torch_file(const FileBytes& file);

/// The state dict in a file: the saved object itself, or what it holds as "state_dict", "model_state_dict" or
/// "model", as training programs save it. Throws FileError for files that are damaged, that hold anything but
/// tensors and plain containers, whose tensors reach beyond their storages, or in which there is no state
/// dict.
StateDict read_torch_file(FileBytes file);

}  // namespace laban
