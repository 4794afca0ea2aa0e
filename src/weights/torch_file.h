// Reads the files written by torch.save, without PyTorch and without executing anything.
//
// Since PyTorch 1.6: a zip file (zip.h) without compression:
//   NAME/data.pkl    a pickle (pickle.h) of the saved object; its tensors name storages by a key
//   NAME/data/KEY    the bytes of a storage
//   NAME/byteorder   "little" or "big" (newer files only)
// Before: consecutive pickles, followed by the storages:
//   a magic number, the protocol's version, a description of the machine, the object, the list of keys;
//   for each key 8 bytes with the number of elements, and the elements
// The earliest versions wrote a tar archive; these are rejected with advice.
#pragma once

#include "weights/state_dict.h"

namespace laban {

/// Judging by the first bytes, whether this is one of these formats.
bool is_torch_file(const FileBytes& file);

/// The state dict in a file: the saved object itself, or an entry of it, up to three keys deep, as training
/// programs save it: "state_dict", "model", "net", ... before others, and those before averages ("ema", "swa").
/// A note says what was passed over. Throws FileError if the file is damaged, contains anything but tensors,
/// plain containers and what is known to lie beside them, has tensors that extend beyond their storages, has no
/// state dict, or has several that are equally likely to be meant.
StateDict read_torch_file(FileBytes file);

}  // namespace laban
