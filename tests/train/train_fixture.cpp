#include "train/train_fixture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/files.h"
#include "core/rng.h"
#include "core/safetensors.h"
#include "train/report/clips.h"

namespace laban::test {

void write_moving_blobs(const std::filesystem::path& folder, int clips_per_class, uint64_t seed) {
  constexpr int kSize = 20, kFrames = 12;
  constexpr double kSpeed = 1.6;
  struct Direction {
    const char* name;
    double dx, dy;
  };
  constexpr std::array<Direction, 4> kDirections{
      {{"down", 0, 1}, {"left", -1, 0}, {"right", 1, 0}, {"up", 0, -1}}};
  for (size_t k = 0; k < kDirections.size(); ++k) {
    const auto [name, dx, dy] = kDirections[k];
    for (int clip = 0; clip < clips_per_class; ++clip) {
      Rng rng(seed, Purpose::test, k, static_cast<uint64_t>(clip));
      const double x0 = rng.uniform(0, kSize), y0 = rng.uniform(0, kSize);
      const std::array<double, 3> ground{rng.uniform(20, 90), rng.uniform(20, 90), rng.uniform(20, 90)};
      const auto frames = folder / name / text("clip", clip);
      std::filesystem::create_directories(frames);
      for (int t = 0; t < kFrames; ++t) {
        report::Picture picture{kSize, kSize, {}};
        for (int y = 0; y < kSize; ++y)
          for (int x = 0; x < kSize; ++x) {
            // Distance on the torus to the blob's center.
            const auto gap = [](double a, double b) {
              const double d = std::fmod(std::abs(a - b), double{kSize});
              return std::min(d, kSize - d);
            };
            const double gx = gap(x, x0 + dx * kSpeed * t), gy = gap(y, y0 + dy * kSpeed * t);
            const double light = 150 * std::exp(-(gx * gx + gy * gy) / 8) + rng.uniform(0, 8);
            for (const double base : ground)
              picture.rgb.push_back(static_cast<uint8_t>(std::clamp(base + light, 0.0, 255.0)));
          }
        const std::vector<uint8_t> png = report::encode_png(picture);
        const std::string number = std::to_string(1000 + t).substr(1);
        write_file(frames / ("frame_" + number + ".png"),
                   {reinterpret_cast<const char*>(png.data()), png.size()});
      }
    }
  }
}

Config small_config(const std::filesystem::path& data) {
  Config config;
  config.data.path = data.string();
  config.data.workers = 2;
  config.machine.threads = 2;
  config.clip.sampler.frames = 8;
  config.clip.transform.crop = 16;
  config.clip.transform.short_side_min = config.clip.transform.short_side_max = 20;
  config.clip.transform.flip = 0;
  config.model.options.dropout = 0.1;
  config.train.epochs = 2;
  config.train.batch = 4;
  config.optimizer.kind = OptimizerKind::sgd;
  config.schedule.base_lr = 0.02;
  resolve(config);
  return config;
}

std::vector<std::pair<std::string, std::vector<double>>> tensors_of(const std::filesystem::path& checkpoint) {
  const SafetensorsFile file(checkpoint);
  file.verify_checksum();
  std::vector<std::pair<std::string, std::vector<double>>> tensors;
  for (const auto& [name, entry] : file.entries()) {
    if (is_floating(entry.type)) {
      tensors.emplace_back(name, file.doubles(name, entry.shape));
    } else {
      const std::vector<int64_t> counts = file.integers(name, entry.shape);
      tensors.emplace_back(name, std::vector<double>(counts.begin(), counts.end()));
    }
  }
  return tensors;
}

std::vector<std::string> timeless_rows(const std::filesystem::path& metrics) {
  std::vector<std::string> rows;
  std::istringstream lines(read_file(metrics));
  for (std::string line; std::getline(lines, line);) {
    auto row = nlohmann::json::parse(line);
    for (const char* key : {"seconds", "clips_per_second", "waiting"}) row.erase(key);
    rows.push_back(row.dump());
  }
  return rows;
}

}  // namespace laban::test
