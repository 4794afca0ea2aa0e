// The sections that go into detail: classes, clips, data, configuration.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "core/text.h"
#include "train/report/charts.h"
#include "train/report/sections.h"
#include "train/report/text.h"

namespace laban::report {
namespace {

std::string class_chart(const Evaluation& e) {
  std::vector<IntervalRow> rows;
  for (const ClassResult& c : e.per_class) {
    if (c.count == 0) {
      rows.push_back({c.name, "no clips", kMissing, {}, "test", c.name + ": no clips"});
      continue;
    }
    rows.push_back(
        {c.name, text(c.correct, "/", c.count), c.accuracy, c.ci95, "test",
         text(c.name, ": ", c.correct, " of ", c.count, ", ", percent(c.accuracy),
              c.ci95 ? text(" (95% interval ", percent(c.ci95->low), " to ", percent(c.ci95->high), ")")
                     : "")});
  }
  // Best first; classes without clips last.
  std::stable_sort(rows.begin(), rows.end(), [](const IntervalRow& a, const IntervalRow& b) {
    return (a.fraction == a.fraction ? a.fraction : -1) > (b.fraction == b.fraction ? b.fraction : -1);
  });
  return interval_chart("Accuracy by class", rows, e.chance(), "chance", 400);
}

/// What fraction of a class's clips was found, and what fraction of those put into it belongs there.
std::string class_table(const Evaluation& e) {
  const auto cell = [](double fraction, const std::optional<Interval>& ci) {
    return ci ? text(percent(fraction), " (", percent(ci->low, 0), " to ", percent(ci->high, 0), ")")
              : std::string("–");
  };
  std::string html =
      "<table><thead><tr><th>class</th><th>clips</th><th>recall</th><th>precision</th><th>F1</th></tr></thead><tbody>";
  for (const ClassResult& c : e.per_class)
    html += text("<tr><td>", escape(c.name), "</td><td>", c.count, "</td><td>",
                 c.count > 0 ? cell(c.accuracy, c.ci95) : "no clips", "</td><td>",
                 cell(c.precision, c.precision_ci95), "</td><td>", std::isfinite(c.f1) ? fixed(c.f1, 3) : "–",
                 "</td></tr>");
  return html + "</tbody></table>";
}

std::string confusions_table(const Evaluation& e) {
  struct Pair {
    size_t truth, guess;
    int64_t count, of;
  };
  std::vector<Pair> pairs;
  for (size_t r = 0; r < e.confusion.size(); ++r) {
    int64_t of = 0;
    for (const int64_t count : e.confusion[r]) of += count;
    for (size_t c = 0; c < e.confusion[r].size(); ++c)
      if (r != c && e.confusion[r][c] > 0) pairs.push_back({r, c, e.confusion[r][c], of});
  }
  if (pairs.empty()) return "<p class=\"sub\">No class was taken for another.</p>";
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.count > b.count; });
  std::string html =
      "<table><thead><tr><th>true class</th><th class=\"words\">taken "
      "for</th><th>clips</th><th>fraction</th></tr></thead><tbody>";
  for (size_t i = 0; i < std::min<size_t>(6, pairs.size()); ++i) {
    const Pair& p = pairs[i];
    html += text("<tr><td>", escape(e.classes[p.truth]), "</td><td class=\"words\">",
                 escape(e.classes[p.guess]), "</td><td class=\"count\">", p.count, " of ", p.of, "</td><td>",
                 percent(static_cast<double>(p.count) / static_cast<double>(p.of), 0), "</td></tr>");
  }
  return html + "</tbody></table>";
}

std::string split_table(const Dataset& data) {
  std::vector<std::array<int64_t, 3>> counts(data.classes.size());
  std::array<std::set<std::string>, 3> sources;
  std::map<std::string, std::set<Split>> splits_of;
  std::array<int64_t, 3> sums{};
  for (const DatasetItem& item : data.items) {
    const size_t split = static_cast<size_t>(item.split);
    ++counts[static_cast<size_t>(item.label)][split], ++sums[split];
    sources[split].insert(item.group);
    splits_of[item.group].insert(item.split);
  }
  const auto row = [](const std::string& name, const std::array<int64_t, 3>& n, int64_t all) {
    return text("<tr><td>", name, "</td><td>", n[0], "</td><td>", n[1], "</td><td>", n[2], "</td><td>", all,
                "</td></tr>");
  };
  std::string html =
      "<div class=\"card "
      "wide\"><table><thead><tr><th>class</th><th>train</th><th>validation</th><th>test</th><th>all</th></tr></thead><tbody>";
  for (size_t k = 0; k < counts.size(); ++k)
    html += row(escape(data.classes[k]), counts[k], counts[k][0] + counts[k][1] + counts[k][2]);
  html += "</tbody><tfoot>" + row("clips", sums, sums[0] + sums[1] + sums[2]);
  const auto size = [&](size_t split) { return static_cast<int64_t>(sources[split].size()); };
  html += row("sources", {size(0), size(1), size(2)}, static_cast<int64_t>(splits_of.size())) +
          "</tfoot></table></div>";
  const int64_t shared = std::count_if(splits_of.begin(), splits_of.end(),
                                       [](const auto& entry) { return entry.second.size() > 1; });
  if (shared > 0)
    html += note(counted(shared, "source has", "sources have") +
                 " clips in more than one split: the network may know them from training, so the measured "
                 "accuracy may be too high.");
  if (!data.ignored.empty())
    html += note(counted(static_cast<int64_t>(data.ignored.size()), "file") +
                 " found that are neither videos nor pictures; not used.");
  return html;
}

}  // namespace

std::string classes_section(const ReportInput& input) {
  std::string html = "<section id=\"classes\"><h2>Classes</h2>";
  const Evaluation* e = headline(input.run);
  if (!e) return html + note("Without an evaluation, there are no per-class results.") + "</section>";
  const std::string split = input.run.test ? "test" : "validation";
  html += text("<p class=\"sub\">On the ", split,
               " clips. Rows of the matrix are true classes, columns are predictions; the color shows the "
               "fraction of the row.</p>");
  const std::string matrix = confusion_chart(e->classes, e->confusion);
  html += "<div class=\"split\"><figure class=\"card\"><figcaption>Confusion matrix</figcaption>";
  html += matrix.empty() ? note("The evaluation contains no confusion matrix.")
                         : "<div class=\"wide\">" + matrix + "</div>";
  html +=
      "</figure><div class=\"stack\"><figure class=\"card\"><figcaption>Accuracy by class, with 95% "
      "intervals</figcaption>";
  const std::string chart = class_chart(*e);
  html += chart.empty() ? note("The evaluation contains no per-class results.") : chart;
  html += "</figure>";
  if (!matrix.empty())
    html += "<div class=\"card wide\"><h3>Commonest confusions</h3>" + confusions_table(*e) + "</div>";
  html += "</div></div>";
  if (std::isfinite(e->macro_f1))
    html += "<div class=\"card wide\"><h3>Recall and precision, with 95% intervals</h3>" + class_table(*e) +
            "</div>";
  return html + "</section>";
}

std::string clips_section(const ReportInput& input) {
  std::string html = "<section id=\"clips\"><h2>What the network saw</h2>";
  const Evaluation* e = headline(input.run);
  if (!e || e->predictions.empty())
    return html + note("No predictions for individual clips were recorded.") + "</section>";
  html += input.clips
              ? "<p>The sampled frames of a clip, scaled and cropped as the network received them; the "
                "number below a frame is its number in the video, from 0.</p>"
              : note("The frames are not shown: " +
                     (input.dataset_note.empty() ? "the data was not opened." : input.dataset_note));
  const auto cards = [&](const std::vector<const Prediction*>& predictions) {
    std::string out = "<div class=\"clips\">";
    for (const Prediction* p : predictions) out += clip_card(*p, e->classes, input.clips);
    return out + "</div>";
  };
  const int64_t all_wrong = std::count_if(e->predictions.begin(), e->predictions.end(),
                                          [](const Prediction& p) { return !p.right(); });
  const auto wrong = surest_mistakes(*e, input.most_mistakes);
  html += "<h3>Wrong</h3>";
  if (wrong.empty())
    html += "<p class=\"sub\">No clip was put into a wrong class.</p>";
  else
    html += text("<p class=\"sub\">",
                 static_cast<size_t>(all_wrong) == wrong.size()
                     ? "All mistakes"
                     : text("The ", wrong.size(), " most confident of ", all_wrong, " mistakes"),
                 ", most confident first.</p>", cards(wrong));
  const auto right = typical_hits(*e, input.most_hits);
  html += "<h3 style=\"margin-top:28px\">Right</h3>";
  if (right.empty())
    html += "<p class=\"sub\">No clip was put into its class.</p>";
  else
    html +=
        "<p class=\"sub\">For each class the clip of middling confidence, neither the best nor the "
        "worst.</p>" +
        cards(right);
  return html + "</section>";
}

namespace {

/// How bad files affected training and evaluation.
std::string left_out_html(const RunRecord& run) {
  std::string html = "<h3 style=\"margin-top:24px\">Files left out</h3>", rows;
  const auto add = [&](const std::string& split, const BadFile& bad) {
    rows += text("<tr><td>", escape(split), "</td><td>", escape(bad.file), "</td><td class=\"words\">",
                 escape(bad.reason), "</td></tr>");
  };
  std::string counts;
  if (run.data)
    for (const DataRecord::Part& part : run.data->parts) {
      append(counts,
             text(part.left_out.size(), " of ", counted(part.listed, "clip"), " in ", escape(part.split)));
      for (const BadFile& bad : part.left_out) add(part.split, bad);
    }
  if (const Evaluation* e = headline(run)) {
    const auto left_out = static_cast<int64_t>(e->bad_files.size());
    const std::string split = run.test ? "test" : "val";
    if (!run.data || run.test) {
      append(counts, text(left_out, " of ", counted(e->clips + left_out, "clip"), " in ", split));
      for (const BadFile& bad : e->bad_files) add(split, bad);
    }
  }
  if (counts.empty())
    return html + note("Neither data.json nor an evaluation records which files could not be read.");
  if (rows.empty()) return html + "<p class=\"sub\">No files were left out.</p>";
  html += "<p class=\"sub\">";
  if (run.data)
    html += run.data->policy == "exclude"
                ? "Files that cannot be read are left out (<code>--on-bad-file exclude</code>): "
                : "A file that cannot be read ends the run (<code>--on-bad-file stop</code>): ";
  html += counts + ".</p>";
  return html +
         "<div class=\"card wide\"><table><thead><tr><th>split</th><th>file</th><th "
         "class=\"words\">reason</th></tr></thead><tbody>" +
         rows + "</tbody></table></div>";
}

}  // namespace

std::string data_section(const ReportInput& input) {
  std::string html = "<section id=\"data\"><h2>Data</h2>";
  if (input.dataset)
    html +=
        text("<p class=\"sub\">", escape(input.dataset->root.string()), "</p>", split_table(*input.dataset));
  else
    html += note(input.dataset_note.empty()
                     ? "The dataset was not opened, so there is no table of its classes and splits."
                     : input.dataset_note);
  return html + left_out_html(input.run) + "</section>";
}

std::string config_section(const RunRecord& run) {
  std::string html = "<section id=\"config\"><h2>Configuration</h2>";
  if (run.recipe) {
    html += text(
        "<div class=\"card wide\"><h3>The recipe</h3><p class=\"sub\">What was not given was chosen: ",
        escape(run.recipe->heading),
        ".</p><table><thead><tr><th></th><th class=\"words\">choice</th><th class=\"words\">reason</th></tr></thead>"
        "<tbody>");
    for (const Decision& d : run.recipe->decisions)
      html += text("<tr><td>", escape(d.topic), "</td><td class=\"words\">", escape(d.value),
                   "</td><td class=\"words\">", escape(d.why), "</td></tr>");
    html += "</tbody></table></div>";
    for (const std::string& sentence : run.recipe->notes) html += note(sentence);
  }
  html += run.config.empty() ? note("The run folder has no config.toml.")
                             : "<details class=\"card\" open><summary>config.toml, as resolved from file and "
                               "flags</summary><pre>" +
                                   escape_lines(run.config) + "</pre></details>";
  return html + "</section>";
}

}  // namespace laban::report
