#include "train/report/clips.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/text.h"
#include "train/report/text.h"

namespace laban::report {
namespace {

constexpr size_t kMostFrames = 32;     // per clip; longer clips are subsampled
constexpr int kMostPixels = 128;       // per side of a frame
constexpr int kMostPlayedPixels = 96;  // of the moving one

/// Scales down by an integer factor (box filter), so that a frame's longer side is at most `most` pixels.
Picture shrunk(const Picture& from, int most) {
  const int factor = (std::max(from.width, from.height) + most - 1) / most;
  if (factor <= 1) return from;
  Picture to{from.width / factor, from.height / factor, {}};
  to.rgb.reserve(static_cast<size_t>(3) * to.width * to.height);
  for (int y = 0; y < to.height; ++y)
    for (int x = 0; x < to.width; ++x)
      for (int c = 0; c < 3; ++c) {
        int sum = 0;
        for (int dy = 0; dy < factor; ++dy)
          for (int dx = 0; dx < factor; ++dx)
            sum += from.rgb[(static_cast<size_t>(y * factor + dy) * from.width + (x * factor + dx)) * 3 + c];
        to.rgb.push_back(static_cast<uint8_t>((sum + factor * factor / 2) / (factor * factor)));
      }
  return to;
}

/// For sorting: a prediction without probabilities comes last.
double sureness(const Prediction* p) { return std::isfinite(p->confidence()) ? p->confidence() : -1.0; }

std::string frames_html(const ClipPictures& clip, const Prediction& prediction) {
  const size_t count = clip.frames.size(), shown = std::min(count, kMostFrames);
  std::vector<Picture> played;
  for (size_t k = 0; k < shown; ++k)
    played.push_back(shrunk(clip.frames[k * count / shown], kMostPlayedPixels));
  std::string html = "<div class=\"play\">" + motion_html(played, "") + "<div class=\"strip\">";
  for (size_t k = 0; k < shown; ++k) {
    const size_t i = k * count / shown;
    const std::string number = i < clip.numbers.size() ? std::to_string(clip.numbers[i]) : "?";
    html += text("<figure><img alt=\"frame ", number, "\" src=\"data:image/png;base64,",
                 base64(encode_png(shrunk(clip.frames[i], kMostPixels))), "\"><figcaption>", number,
                 "</figcaption></figure>");
  }
  html += "</div></div>";
  if (shown < count)
    html += text("<p class=\"note\">", shown, " of the clip's ", count, " frames are shown.</p>");
  if (!prediction.frames.empty() && prediction.frames != clip.numbers)
    html +=
        "<p class=\"note\">The evaluation used other frames of this video than the data folder gives now; "
        "the file or the settings have changed since.</p>";
  return html;
}

std::string probabilities_html(const Prediction& p, const std::vector<std::string>& classes) {
  std::vector<size_t> order(p.probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto value = [&](size_t k) { return std::isfinite(p.probabilities[k]) ? p.probabilities[k] : -1.0; };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return value(a) > value(b); });
  const size_t label = static_cast<size_t>(p.label);
  std::vector<size_t> shown(order.begin(),
                            order.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(3, order.size())));
  // The true class is always shown, whatever its rank.
  if (!order.empty() && std::find(shown.begin(), shown.end(), label) == shown.end()) shown.push_back(label);
  std::string html = "<div class=\"odds\">";
  for (const size_t k : shown)
    html += text("<span class=\"", k == label ? "who true" : "who", "\">", escape(classes[k]),
                 "</span><span class=\"track\"><i class=\"",
                 k == label                              ? "hit"
                 : k == static_cast<size_t>(p.predicted) ? "miss"
                                                         : "",
                 "\" style=\"width:", fixed(100 * std::clamp(value(k), 0.0, 1.0), 1),
                 "%\"></i></span><span class=\"much\">", percent(p.probabilities[k]), "</span>");
  return html + "</div>";
}

}  // namespace

std::string motion_html(const std::vector<Picture>& frames, const std::string& file) {
  if (frames.size() < 2) return "";
  const int width = frames[0].width, height = frames[0].height, count = static_cast<int>(frames.size());
  std::string picture = file;
  if (file.empty()) {
    Picture all{width, count * height, {}};
    for (const Picture& frame : frames) {
      if (frame.width != width || frame.height != height) return "";
      all.rgb.insert(all.rgb.end(), frame.rgb.begin(), frame.rgb.end());
    }
    picture = "data:image/png;base64," + base64(encode_png(all));
  }
  // Small frames are enlarged.
  const double scale = std::max(1.0, 96.0 / std::max(width, height));
  const auto pixels = [&](int count_of_them) { return fixed(scale * count_of_them, 1) + "px"; };
  constexpr double kFramesASecond = 8;
  return text("<div class=\"motion\" role=\"img\" aria-label=\"the clip in motion\" style=\"width:",
              pixels(width), ";height:", pixels(height), ";background-size:100% auto;background-image:url(",
              picture, ");--end:-", pixels(count * height), ";animation:play ",
              fixed(count / kFramesASecond, 2), "s steps(", count, ") infinite\"></div>");
}

std::string_view motion_style() {
  return "@keyframes play{to{background-position:0 var(--end)}}"
         ".motion{border-radius:4px;flex:none}"
         "@media (prefers-reduced-motion:reduce){.motion{animation:none!important}}";
}

std::vector<const Prediction*> surest_mistakes(const Evaluation& evaluation, size_t most) {
  std::vector<const Prediction*> wrong;
  for (const Prediction& p : evaluation.predictions)
    if (!p.right()) wrong.push_back(&p);
  std::stable_sort(wrong.begin(), wrong.end(),
                   [&](const Prediction* a, const Prediction* b) { return sureness(a) > sureness(b); });
  wrong.resize(std::min(most, wrong.size()));
  return wrong;
}

std::vector<const Prediction*> typical_hits(const Evaluation& evaluation, size_t most) {
  std::vector<const Prediction*> typical;
  for (int label = 0; label < static_cast<int>(evaluation.classes.size()) && typical.size() < most; ++label) {
    std::vector<const Prediction*> hits;
    for (const Prediction& p : evaluation.predictions)
      if (p.right() && p.label == label) hits.push_back(&p);
    if (hits.empty()) continue;
    std::stable_sort(hits.begin(), hits.end(),
                     [&](const Prediction* a, const Prediction* b) { return sureness(a) < sureness(b); });
    typical.push_back(hits[hits.size() / 2]);
  }
  return typical;
}

std::string clip_card(const Prediction& p, const std::vector<std::string>& classes,
                      const ClipSource& source) {
  const std::string truth = escape(classes[static_cast<size_t>(p.label)]),
                    guess = escape(classes[static_cast<size_t>(p.predicted)]);
  std::string html = text("<article class=\"clip ", p.right() ? "right" : "wrong", "\"><header><h4>");
  html += p.right() ? text("<span class=\"mark\">✓</span> ", truth)
                    : text("<span class=\"mark\">✗</span> ", truth, " <small>taken for</small> ", guess);
  html += text("</h4><span class=\"file\">", escape(p.file), "</span></header>");
  if (source) {
    try {
      html += frames_html(source(p.file), p);
    } catch (const Error& error) {
      html += text("<p class=\"note\">The frames cannot be shown: ", escape(error.what()), "</p>");
    }
  }
  return html + probabilities_html(p, classes) + "</article>";
}

}  // namespace laban::report
