// Loading weights into networks: names, shapes, the last layer, and invalid values.
#include "weights/load.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/safetensors.h"
#include "support/temporary_folder.h"
#include "weights/export.h"
#include "weights/foreign_model.h"
#include "weights/key_style.h"
#include "weights/made_files.h"
#include "weights/own_keys.h"
#include "weights/small_network.h"

using namespace laban;
using laban::text;
using test::everything;
using test::says;
using test::small_spec;

namespace {

ReferenceBackend backend;

/// The state of a used network, changed by `change`, as a file.
class Saved {
 public:
  using State = std::vector<ExportedTensor>;

  explicit Saved(const ModelSpec& spec, const std::function<void(State&)>& change = {},
                 KeyStyle style = KeyStyle::torchvision)
      : network(backend, DType::f64, spec) {
    test::make_used(network, 7);
    State state = export_state(network, ElementType::f32, style);
    if (change) change(state);
    write_safetensors_state(path(), state, {});
  }
  std::filesystem::path path() const { return folder_.path() / "weights.safetensors"; }

  Network network;

 private:
  test::TemporaryFolder folder_;
};

ExportedTensor& named(Saved::State& state, const std::string& name) {
  for (ExportedTensor& t : state)
    if (t.name == name) return t;
  throw std::logic_error("no " + name);
}

void set_first(ExportedTensor& tensor, float value) {
  std::memcpy(tensor.bytes.data(), &value, sizeof(value));
}

std::string complaint(const Saved& saved, const ModelSpec& spec, HeadPolicy head = HeadPolicy::must_fit) {
  Network network(backend, DType::f64, spec);
  test::make_used(network, 1);
  const auto before = everything(network);
  try {
    load_weights(network, saved.path(), head);
    return "";
  } catch (const FileError& error) {
    CHECK(error.file() == saved.path().string());
    CHECK(everything(network) == before);  // untouched
    return error.what();
  }
}

}  // namespace

TEST_CASE("names of Hara's program become torchvision's and back, for every model") {
  CHECK(to_own_key("conv1.weight", KeyStyle::hara) == "stem.0.weight");
  CHECK(to_own_key("bn1.num_batches_tracked", KeyStyle::hara) == "stem.1.num_batches_tracked");
  CHECK(to_own_key("layer3.11.conv2.weight", KeyStyle::hara) == "layer3.11.conv2.0.weight");
  CHECK(to_own_key("layer3.11.bn3.running_var", KeyStyle::hara) == "layer3.11.conv3.1.running_var");
  CHECK(to_own_key("layer2.0.downsample.1.bias", KeyStyle::hara) == "layer2.0.downsample.1.bias");
  CHECK(to_own_key("fc.weight", KeyStyle::hara) == "fc.weight");
  CHECK(to_own_key("layer2.0.conv1.0.weight", KeyStyle::torchvision) == "layer2.0.conv1.0.weight");
  CHECK(to_own_key("layer.conv1.weight", KeyStyle::hara) == "layer.conv1.weight");
  for (const char* name : {"resnet3d_18", "resnet3d_50"}) {
    Network network(backend, DType::f32, small_spec(name));
    std::vector<std::string> hara;
    for (const auto& [key, values] : everything(network)) {
      hara.push_back(from_own_key(key, KeyStyle::hara));
      CHECK(to_own_key(hara.back(), KeyStyle::hara) == key);
    }
    std::ranges::sort(hara);
    CHECK(std::ranges::adjacent_find(hara) == hara.end());
    CHECK(std::ranges::count(hara, "layer1.0.bn1.running_mean") == 1);
    CHECK(std::ranges::count(hara, "conv1.weight") == 1);
  }
}

TEST_CASE("weights come back exactly, under whichever names they were saved") {
  for (const char* name :
       {"r3d_18", "mc3_18", "rmc3_18", "r2plus1d_18", "r3d_50", "resnet3d_18", "resnet3d_50"})
    for (const KeyStyle style : {KeyStyle::torchvision, KeyStyle::hara})
      for (const char* prefix : {"", "module.", "_orig_mod.module."}) {
        if (style == KeyStyle::hara && !std::string(name).starts_with("resnet3d")) continue;
        CAPTURE(std::string(name));
        CAPTURE(std::string(prefix));
        Saved saved(
            small_spec(name),
            [&](Saved::State& state) {
              for (ExportedTensor& t : state) t.name.insert(0, prefix);
            },
            style);
        Network network(backend, DType::f64, small_spec(name));
        network.store().initialize(2);
        const LoadedWeights loaded = load_weights(network, saved.path(), HeadPolicy::must_fit);
        Network& want = saved.network;
        CHECK(everything(network) == everything(want));
        CHECK(!loaded.own_head);
        CHECK(loaded.file_classes == 5);
        CHECK(loaded.tensors ==
              want.store().list().parameters.size() + want.store().list().statistics.size());
      }
}

TEST_CASE("old files without batch counts count from 0") {
  const Saved saved(small_spec("r3d_18"), [](Saved::State& state) {
    std::erase_if(state, [](const ExportedTensor& t) { return t.name.ends_with("num_batches_tracked"); });
  });
  Network network(backend, DType::f64, small_spec("r3d_18"));
  test::make_used(network, 1);
  load_weights(network, saved.path(), HeadPolicy::must_fit);
  for (const Counter* c : network.store().list().counters) CHECK(c->value == 0);
}

TEST_CASE("a mismatch lists what is missing, unexpected and misshapen, and names the model that fits") {
  const Saved saved(small_spec("r3d_18"), [](Saved::State& state) {
    std::erase_if(state, [](const ExportedTensor& t) { return t.name == "layer2.0.conv1.1.bias"; });
    named(state, "layer3.0.conv2.0.weight").name = "layer3.0.conv2.weight";
    ExportedTensor& stem = named(state, "stem.0.weight");
    std::swap(stem.shape[0], stem.shape[1]);
  });
  const std::string what = complaint(saved, small_spec("r3d_18"));
  CHECK(says(what, "does not fit the model r3d_18, 5 classes"));
  CHECK(says(what, "missing in the file (2):\n    layer2.0.conv1.1.bias\n    layer3.0.conv2.0.weight\n"));
  CHECK(says(what, "not in the model (1):\n    layer3.0.conv2.weight\n"));
  CHECK(
      says(what,
           "a different shape (1):\n    stem.0.weight: [3, 4, 3, 7, 7] in the file, [4, 3, 3, 7, 7] needed"));
  CHECK(says(what, "fits none of laban's models"));

  const Saved other(model_by_name("mc3_tiny", 3));
  const std::string advice = complaint(other, model_by_name("r3d_tiny", 3));
  CHECK(says(advice, "of a different shape ("));
  CHECK(says(advice, "The file fits: --model mc3_tiny."));
  const Saved many(model_by_name("r2plus1d_tiny", 3));
  CHECK(says(complaint(many, model_by_name("r3d_tiny", 3)), "more\n"));
}

TEST_CASE("the models that a file fits are told apart by midplanes and shortcut") {
  const auto fitting = [](const ModelSpec& spec) {
    return fitting_models(StateDict::read(Saved(spec).path()));
  };
  using Names = std::vector<std::string>;
  CHECK(fitting(model_by_name("r3d_tiny", 9)) == Names{"--model r3d_tiny"});
  ModelSpec spec = model_by_name("r2plus1d_tiny", 9);
  CHECK(fitting(spec) == Names{"--model r2plus1d_tiny"});
  spec.options.midplanes = MidplanesRule::per_conv;
  CHECK(fitting(spec) == Names{"--model r2plus1d_tiny --midplanes per-conv"});
  spec.options.shortcut = ShortcutKind::subsample;
  CHECK(fitting(spec) == Names{"--model r2plus1d_tiny --midplanes per-conv --shortcut A"});
  CHECK(fitting(small_spec("r3d_18")).empty());
}

TEST_CASE("another number of classes keeps the network's own last layer, where that is wanted") {
  Saved saved(small_spec("r2plus1d_18", 400));
  CHECK(says(complaint(saved, small_spec("r2plus1d_18", 10)),
             "fc.weight: [400, 10] in the file, [10, 10] needed"));
  Network network(backend, DType::f64, small_spec("r2plus1d_18", 10));
  network.store().initialize(3);
  const auto drawn = everything(network);
  const LoadedWeights loaded = load_weights(network, saved.path(), HeadPolicy::keep_own);
  CHECK(loaded.own_head);
  CHECK(loaded.file_classes == 400);
  const auto now = everything(network), want = everything(saved.network);
  for (const auto& [name, values] : now)
    CHECK_MESSAGE(values == (name.starts_with("fc.") ? drawn : want).at(name), name);
  CHECK(now.at("fc.weight") != std::vector<double>(now.at("fc.weight").size(), 0));

  // A backbone without a head.
  const Saved backbone(small_spec("r3d_18"), [](Saved::State& state) {
    std::erase_if(state, [](const ExportedTensor& t) { return t.name.starts_with("fc."); });
  });
  Network fresh(backend, DType::f64, small_spec("r3d_18"));
  fresh.store().initialize(3);
  const LoadedWeights headless = load_weights(fresh, backbone.path(), HeadPolicy::keep_own);
  CHECK(headless.own_head);
  CHECK(!headless.file_classes);
  CHECK(says(complaint(backbone, small_spec("r3d_18")), "fc.bias"));
  CHECK_THROWS_WITH_AS(classes_of(StateDict::read(backbone.path())), doctest::Contains("no last layer"),
                       FileError);
  CHECK(classes_of(StateDict::read(saved.path())) == 400);

  // Other features before the last layer are another network, whatever the policy.
  const Saved wider(small_spec("r3d_18"), [](Saved::State& state) {
    ExportedTensor& fc = named(state, "fc.weight");
    fc.shape = {10, 5};
  });
  CHECK(says(complaint(wider, small_spec("r3d_18"), HeadPolicy::keep_own), "fc.weight: [10, 5] in the file"));
}

TEST_CASE("NaN, infinite weights and negative variances are refused by name") {
  const auto with = [](const std::string& tensor, float value) {
    const Saved saved(small_spec("r3d_18"),
                      [&](Saved::State& state) { set_first(named(state, tensor), value); });
    return complaint(saved, small_spec("r3d_18"));
  };
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  CHECK(says(with("layer1.0.conv1.0.weight", kNaN),
             "tensor 'layer1.0.conv1.0.weight' contains NaN or infinite values (1 of 432)"));
  CHECK(says(with("fc.bias", -kInfinity), "tensor 'fc.bias' contains NaN"));
  CHECK(says(with("stem.1.running_mean", kNaN), "tensor 'stem.1.running_mean' contains NaN"));
  CHECK(says(with("stem.1.running_var", -1e-3f), "tensor 'stem.1.running_var' contains a negative variance"));
  CHECK(with("stem.1.running_mean", -1e-3f).empty());
}

TEST_CASE("weights that are whole numbers are refused, counts of batches are not") {
  const auto with = [](const std::string& tensor) {
    const Saved saved(small_spec("r3d_18"), [&](Saved::State& state) {
      ExportedTensor& changed = named(state, tensor);
      changed.type = ElementType::i32;  // as wide as f32
    });
    return complaint(saved, small_spec("r3d_18"));
  };
  CHECK(says(with("fc.bias"), "tensor 'fc.bias' is I32, but weights must be floating-point numbers"));
  CHECK(says(with("stem.1.running_var"), "tensor 'stem.1.running_var' is I32"));
}

TEST_CASE("a last layer that fits no model is part of what does not fit") {
  const auto advice = [](const std::function<void(Saved::State&)>& change) {
    return complaint(Saved(model_by_name("r3d_tiny", 3), change), model_by_name("r3d_tiny", 3));
  };
  const std::string scalar = advice([](Saved::State& state) {
    named(state, "fc.bias").shape.clear();
    named(state, "fc.bias").bytes.resize(sizeof(float));
  });
  CHECK(says(scalar, "fc.bias: [] in the file, [3] needed"));
  CHECK(says(scalar, "fits none of laban's models"));
  CHECK(says(advice([](Saved::State& state) {
               std::erase_if(state, [](const ExportedTensor& t) { return t.name == "fc.bias"; });
             }),
             "fits none of laban's models"));
}

TEST_CASE("whether a file fits is known without a network's memory") {
  const Saved saved(model_by_name("r3d_tiny", 3));
  const StateDict state = StateDict::read(saved.path());
  require_fit(state, model_by_name("r3d_tiny", 3), HeadPolicy::must_fit);
  require_fit(state, model_by_name("r3d_tiny", 4), HeadPolicy::keep_own);
  CHECK_THROWS_WITH_AS(require_fit(state, model_by_name("r3d_tiny", 1'000'000'000'000), HeadPolicy::must_fit),
                       doctest::Contains("[1000000000000, 128] needed"), FileError);
  CHECK_THROWS_WITH_AS(require_fit(state, model_by_name("mc3_tiny", 3), HeadPolicy::must_fit),
                       doctest::Contains("The file fits: --model r3d_tiny."), FileError);
}

TEST_CASE("averaged models (PyTorch's swa_utils) lose their wrapper and its count") {
  for (const char* prefix : {"module.", "module.module."}) {
    Saved saved(small_spec("r3d_18"), [&](Saved::State& state) {
      for (ExportedTensor& t : state) t.name.insert(0, prefix);
      const std::string outer = std::string(prefix).substr(sizeof("module.") - 1);
      state.insert(state.begin(), {outer + "n_averaged", ElementType::i64, {}, std::vector<std::byte>(8)});
    });
    Network network(backend, DType::f64, small_spec("r3d_18"));
    load_weights(network, saved.path(), HeadPolicy::must_fit);
    CHECK(everything(network) == everything(saved.network));
  }
  const Saved stray(small_spec("r3d_18"), [&](Saved::State& state) {
    state.push_back({"n_averaged", ElementType::i64, {}, std::vector<std::byte>(8)});
  });
  CHECK(says(complaint(stray, small_spec("r3d_18")), "not in the model (1):\n    n_averaged"));
}

TEST_CASE("a prefix of all names is left out, whatever it is, and said") {
  for (const char* prefix : {"model.", "module.model.", "net.", "backbone.", "my_encoder.3d."}) {
    CAPTURE(std::string(prefix));
    for (const KeyStyle style : {KeyStyle::torchvision, KeyStyle::hara}) {
      const char* name = style == KeyStyle::hara ? "resnet3d_18" : "r3d_18";
      Saved saved(
          small_spec(name),
          [&](Saved::State& state) {
            for (ExportedTensor& t : state) t.name.insert(0, prefix);
          },
          style);
      Network network(backend, DType::f64, small_spec(name));
      load_weights(network, saved.path(), HeadPolicy::must_fit);
      CHECK(everything(network) == everything(saved.network));
      const StateDict own = with_own_keys(StateDict::read(saved.path()));
      REQUIRE(own.notes().size() == 1);
      CHECK(says(own.notes().front(), text("the prefix '", prefix, "'")));
      CHECK(with_own_keys(own).notes().size() == 1);
    }
  }
}

TEST_CASE("the only linear layer beside the others is the last one, by whatever name") {
  struct Names {
    const char *trunk, *head;
  };
  for (const Names& names :
       {Names{"backbone.", "cls_head.fc_cls"}, Names{"", "fc.1"}, Names{"", "head"},
        Names{"model.", "model.classifier.2"}, Names{"module.trunk.", "module.head.fc"}}) {
    CAPTURE(std::string(names.head));
    const auto rename = [&](Saved::State& state) {
      for (ExportedTensor& t : state)
        t.name = t.name.starts_with("fc.") ? names.head + t.name.substr(2) : names.trunk + t.name;
    };
    Saved saved(small_spec("r2plus1d_18"), rename);
    Network network(backend, DType::f64, small_spec("r2plus1d_18"));
    CHECK(load_weights(network, saved.path(), HeadPolicy::must_fit).file_classes == 5);
    CHECK(everything(network) == everything(saved.network));
    CHECK(classes_of(StateDict::read(saved.path())) == 5);
    const std::string head = std::string(names.head).substr(std::string(names.trunk) == "model." ? 6 : 0);
    CHECK(says(with_own_keys(StateDict::read(saved.path())).notes().back(), text("'", head, "' is read as")));
    // Two of them: nobody knows.
    Saved two(small_spec("r2plus1d_18"), [&](Saved::State& state) {
      rename(state);
      ExportedTensor other = named(state, std::string(names.head) + ".weight");
      other.name = "projector.weight";
      state.push_back(other);
    });
    const std::string what = complaint(two, small_spec("r2plus1d_18"));
    CHECK(says(what, "projector.weight"));
    CHECK(says(what, head + ".weight"));
  }
}

TEST_CASE("of several networks only an average is passed over") {
  const auto with = [](const char* first, const char* second) {
    return [=](Saved::State& state) {
      Saved::State copy = state;
      for (ExportedTensor& t : state) t.name.insert(0, first);
      for (ExportedTensor& t : copy) {
        t.name.insert(0, second);
        set_first(t, 0.25f);
        state.push_back(t);
      }
    };
  };
  Saved averaged(small_spec("r3d_18"), with("model.", "model_ema.module."));
  Network network(backend, DType::f64, small_spec("r3d_18"));
  load_weights(network, averaged.path(), HeadPolicy::must_fit);
  CHECK(everything(network) == everything(averaged.network));
  CHECK(says(with_own_keys(StateDict::read(averaged.path())).notes().front(),
             "'model_ema.module.' are not read"));

  for (const auto& [first, second] : {std::pair("encoder_q.", "encoder_k."), std::pair("", "teacher.")}) {
    const std::string what =
        complaint(Saved(small_spec("r3d_18"), with(first, second)), small_spec("r3d_18"));
    CHECK(says(what, "contains several networks"));
    CHECK(says(what, text("'", first, "' (")));
    CHECK(says(what, text("'", second, "' (")));
  }
  const Saved twice(small_spec("r3d_18"), [](Saved::State& state) {
    for (ExportedTensor& t : state)
      if (!t.name.starts_with("fc.")) t.name.insert(0, "net.");
    ExportedTensor copy = named(state, "fc.weight");
    copy.name = "net.fc.weight";
    state.push_back(copy);
  });
  CHECK(says(complaint(twice, small_spec("r3d_18")), "contains both 'net.fc.weight' and 'fc.weight'"));
}

TEST_CASE("what does not fit says how its names were read") {
  const std::string what = complaint(Saved(small_spec("r3d_18"),
                                           [](Saved::State& state) {
                                             for (ExportedTensor& t : state) t.name.insert(0, "model.");
                                             named(state, "model.fc.bias").name = "criterion.weight";
                                           }),
                                     small_spec("r3d_18"));
  CHECK(says(what, "missing in the file (1):\n    fc.bias"));
  CHECK(says(what, "not in the model (1):\n    criterion.weight"));
  CHECK(says(what, "the prefix 'model.' of its names is left out"));
}

TEST_CASE("other people's video models are refused by their names") {
  // Some names of published files, as published, and the model they belong to.
  struct Published {
    const char* model;
    std::vector<std::string> names;
    std::vector<int64_t> shape{8, 3, 1, 7, 7};
  };
  const Published published[] = {
      {"I3D (", {"Conv3d_1a_7x7.conv3d.weight", "Mixed_3b.b0.conv3d.weight", "logits.conv3d.weight"}},
      {"I3D (", {"module.conv3d_1a_7x7.conv3d.weight", "module.mixed_3b.branch_0.conv3d.weight"}},
      {"I3D or SlowOnly",
       {"backbone.conv1.conv.weight", "backbone.layer1.0.conv1.conv.weight", "cls_head.fc_cls.weight"}},
      {"SlowFast",
       {"s1.pathway0_stem.conv.weight", "s1.pathway1_stem.conv.weight", "s1_fuse.conv_f2s.weight"}},
      {"SlowFast", {"blocks.0.multipathway_blocks.0.conv.weight", "blocks.6.proj.weight"}},
      {"SlowFast", {"backbone.slow_path.conv1.conv.weight", "backbone.fast_path.conv1.conv.weight"}},
      {"Slow, I3D or C2D", {"s1.pathway0_stem.conv.weight", "s2.pathway0_res0.branch2.a.weight"}},
      {"X3D", {"s1.pathway0_stem.conv_xy.weight", "head.conv_5.weight"}},
      {"X3D",
       {"blocks.0.conv.conv_t.weight", "blocks.0.conv.conv_xy.weight",
        "blocks.1.res_blocks.0.branch2.conv_a.weight"}},
      {"X3D", {"backbone.conv1_s.conv.weight", "backbone.conv1_t.conv.weight"}},
      {"C3D", {"conv1.weight", "conv3a.weight", "conv5b.weight", "fc6.weight"}},
      {"C3D", {"backbone.conv1a.conv.weight", "backbone.conv3a.conv.weight", "backbone.conv5b.conv.weight"}},
      {"TSM", {"module.base_model.layer1.0.conv1.net.weight", "module.new_fc.weight"}, {64, 64, 1, 1}},
      {"TSM", {"backbone.layer1.0.conv1.conv.net.weight", "cls_head.fc_cls.weight"}, {64, 64, 1, 1}},
      {"S3D", {"features.0.0.0.weight", "features.0.1.0.weight", "classifier.1.weight"}},
      {"S3D", {"base.0.conv_s.weight", "fc.0.weight"}},
      {"MViT", {"conv_proj.weight", "pos_encoding.class_token", "blocks.0.attn.qkv.weight"}},
      {"MViT", {"patch_embed.proj.weight", "blocks.0.attn.pool_q.weight", "blocks.0.attn.qkv.weight"}},
      {"VideoMAE",
       {"encoder.patch_embed.proj.weight", "encoder.blocks.0.attn.q_bias",
        "encoder.blocks.0.attn.qkv.weight"}},
      {"VideoMAE", {"videomae.embeddings.patch_embeddings.projection.weight"}},
      {"TimeSformer", {"model.blocks.0.temporal_attn.qkv.weight", "model.patch_embed.proj.weight"}},
      {"Video Swin", {"patch_embed.proj.weight", "features.0.0.attn.relative_position_bias_table"}},
      {"R(2+1)D as in mmaction2", {"backbone.conv1.conv.conv_s.weight", "backbone.conv1.conv.conv_t.weight"}},
      {"CSN", {"stem.0.weight", "layer1.0.conv2.0.weight"}, {64, 1, 3, 3, 3}},
      {"ResNeXt", {"module.conv1.weight", "module.layer1.0.conv2.weight"}, {128, 4, 3, 3, 3}},
      {"2-D convolutions",
       {"conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "fc.weight"},
       {64, 3, 7, 7}},
  };
  for (const Published& file : published) {
    CAPTURE(file.names.front());
    const Saved saved(small_spec("r3d_18"), [&](Saved::State& state) {
      state.clear();
      const auto count =
          std::accumulate(file.shape.begin(), file.shape.end(), int64_t{4}, std::multiplies<>());
      for (const std::string& name : file.names)
        state.push_back(
            {name, ElementType::f32, file.shape, std::vector<std::byte>(static_cast<size_t>(count))});
    });
    for (const HeadPolicy head : {HeadPolicy::must_fit, HeadPolicy::keep_own}) {
      const std::string what = complaint(saved, small_spec("r3d_18"), head);
      CHECK_MESSAGE(
          says(what, text("is like ", file.model)) + says(what, text("a network of ", file.model)) > 0, what);
      CHECK(says(what, "which laban cannot build"));
      CHECK(!says(what, "missing in the file"));
    }
  }
  // laban's own are like none of them, however small.
  for (const std::string& name : model_names()) {
    const Saved saved(small_spec(name));
    CHECK_MESSAGE(foreign_model(StateDict::read(saved.path())).empty(), name);
  }
}

TEST_CASE("types that are no numbers for weights are refused") {
  test::TemporaryFolder folder;
  const std::string file =
      test::safetensors_of(R"({"fc.weight":{"dtype":"F8_E4M3","shape":[2,1],"data_offsets":[0,2]}})", "ab");
  const StateDict state = StateDict::read(test::in_memory(file));
  CHECK_THROWS_WITH_AS(state.values("fc.weight"), doctest::Contains("F8_E4M3, which is not supported"),
                       FileError);
}
