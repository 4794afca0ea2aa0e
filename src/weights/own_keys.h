// Whatever names a program gave to a network's tensors: laban's own names for them.
#pragma once

#include "weights/state_dict.h"

namespace laban {

/// The tensors under laban's own names. Left out are prefixes that all of a network's tensors have ("module.",
/// "model.", "backbone.", one of any other name) and the count of PyTorch's AveragedModel; the naming schemes
/// of key_style.h are translated; and a last layer that is called otherwise ("cls_head.fc_cls", "fc.1") is "fc",
/// where it is the only thing beside the stem and the layers. Notes say what was done, but for the wrappers of
/// PyTorch itself ("module.", "_orig_mod."). What is of no network is kept, under its name.
///
/// Throws FileError if the file contains several networks, of which none is an average of the other.
StateDict with_own_keys(const StateDict& state);

}  // namespace laban
