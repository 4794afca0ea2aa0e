#include "train/report/sections.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "train/config/config.h"
#include "train/config/words.h"
#include "train/report/charts.h"
#include "train/report/text.h"

namespace laban::report {
namespace {

std::string range(const std::optional<Interval>& ci) {
  return ci ? percent(ci->low) + " to " + percent(ci->high) : "";
}
std::string tile(const std::string& style, const std::string& value, const std::string& what,
                 const std::string& more) {
  return text("<div class=\"card tile ", style, "\"><span class=\"what\">", what, "</span><b>", value,
              "</b><span class=\"more\">", more, "</span></div>");
}

/// The accuracy of guessing: chance, or the most common class if classes are imbalanced.
double guessing(const Evaluation& e) {
  const double common = e.majority_accuracy();
  return std::isfinite(common) ? std::max(common, e.chance()) : e.chance();
}

/// The headline in words, no stronger than the intervals allow.
std::string verdict(const Evaluation& e, const std::string& split_name,
                    const std::optional<Evaluation>& control, bool trained_so) {
  std::string out = text("<p>The network predicts the correct class for <strong>", e.correct, " of ",
                         counted(e.clips, split_name + " clip"), "</strong> (", percent(e.accuracy),
                         e.ci95 ? "; 95% interval " + range(e.ci95) : "", "). ");
  const double guess = guessing(e);
  out += text("Guessing among ", e.classes.size(), " classes would reach ", percent(e.chance()));
  if (guess > e.chance() + 0.005) out += text(", always predicting the most common class ", percent(guess));
  out += ". ";
  if (e.ci95 && e.ci95->high < guess)
    out += "The network does worse than that. ";
  else if (e.ci95 && e.ci95->low <= guess)
    out += "The interval includes that, so this run does not show that anything was learned. ";
  if (control) {
    const std::string reached =
        percent(control->accuracy) + (control->ci95 ? " (" + range(control->ci95) + ")" : "");
    if (!trained_so)
      return out +
             "The control was tested on clips with a single, repeated frame, but trained on moving ones, and "
             "reaches " +
             reached +
             ". It has never seen such clips, so this says little about what single pictures could achieve.</p>";
    out +=
        "The control, the same network trained and tested on clips with a single, repeated frame, reaches " +
        reached + ": ";
    const bool known = e.ci95 && control->ci95;
    if (known && e.ci95->low > control->ci95->high)
      out += text("the ", fixed(100 * (e.accuracy - control->accuracy), 1),
                  " points between them are what motion adds to single pictures. ");
    else
      out += "this run does not show that motion adds to single pictures. ";
    if (known)
      out += control->ci95->low > guessing(*control)
                 ? "Single pictures alone give the class away more often than guessing."
                 : "There is no evidence that single pictures alone give the class away.";
  }
  return out + "</p>";
}

/// The network beside what needs no network.
std::string floor_html(const RunRecord& run, const Evaluation& e, const std::string& split) {
  if (!run.floor || !run.floor->best(split, BestBy::accuracy)) return "";
  std::string html =
      "<div class=\"card wide\"><h3>The network and the floor</h3><table><thead><tr><th>classifier</th><th>accuracy</th>"
      "<th>balanced accuracy</th><th>macro-F1</th></tr></thead><tbody>";
  const auto number = [](double value) { return std::isfinite(value) ? fixed(value, 3) : std::string("–"); };
  const auto row = [&](const std::string& name, double accuracy, double balanced, double f1) {
    html += text("<tr><td>", escape(name), "</td><td>", percent(accuracy), "</td><td>", percent(balanced),
                 "</td><td>", number(f1), "</td></tr>");
  };
  row("the network", e.accuracy, e.mean_class_accuracy, e.macro_f1);
  for (const FloorMethod& method : run.floor->methods)
    for (const FloorScore& score : method.scores)
      if (score.split == split)
        row(floor_words(method.name), score.accuracy, score.balanced_accuracy, score.macro_f1);
  html += "</tbody></table></div>";
  std::vector<int64_t> clips;
  for (const ClassResult& c : e.per_class) clips.push_back(c.count);
  const BestBy by = floor_criterion(clips);
  const std::string below =
      below_floor(*run.floor, split, by, by == BestBy::macro_f1 ? e.macro_f1 : e.accuracy);
  return below.empty() ? html : html + note(below);
}

/// A series over steps, one point for each row, from one of its numbers.
template <class Row>
Series series(const std::string& name, const std::string& style, const std::vector<Row>& rows,
              double Row::*member, bool as_percent) {
  Series s{name, style, {}, false};
  for (const Row& row : rows) {
    const double v = row.*member;
    s.points.push_back({static_cast<double>(row.step), v,
                        text(name, ", epoch ", row.epoch, " (step ", row.step,
                             "): ", as_percent ? percent(v) : brief(v, 4))});
  }
  return s;
}
Series background(const std::vector<StepRow>& rows, double StepRow::*member, const std::string& style,
                  bool faint) {
  Series s = series("", style, rows, member, false);
  for (Point& p : s.points) p.title.clear();
  s.points = thinned(s.points, 300);
  s.faint = faint;
  return s;
}

std::string figure(const std::string& caption, const std::string& keys, const std::string& svg,
                   const std::string& missing) {
  std::string html = "<figure class=\"card\"><figcaption>" + caption;
  if (!svg.empty() && !keys.empty()) html += "<span class=\"key\">" + keys + "</span>";
  html += "</figcaption>";
  return html + (svg.empty() ? note(missing) : svg) + "</figure>";
}

/// Which epoch was kept, and by what.
std::string best_epoch(const RunRecord& run) {
  const auto last =
      std::find_if(run.epochs.rbegin(), run.epochs.rend(), [](const EpochRow& e) { return e.best; });
  if (last == run.epochs.rend()) return "";
  std::string by;
  try {
    Config config;
    apply_toml(config, run.config, "config.toml");
    by = by_what(config.train.best_by);
  } catch (const Error&) {
    // The config of another version.
  }
  return text("<p class=\"sub\">Best epoch", by, ": ", last->epoch, " of ", run.epochs.back().epoch,
              " (validation loss ", brief(last->val_loss, 4), ", accuracy ", percent(last->val_accuracy),
              std::isfinite(last->val_macro_f1) ? ", macro-F1 " + fixed(last->val_macro_f1, 3) : "",
              ").</p>");
}

double mean_of(const std::vector<StepRow>& rows, double StepRow::*member) {
  double sum = 0;
  int64_t count = 0;
  for (const StepRow& row : rows)
    if (std::isfinite(row.*member)) sum += row.*member, ++count;
  return count > 0 ? sum / static_cast<double>(count) : kMissing;
}

}  // namespace

std::string note(const std::string& sentence) {
  std::string html = "<p class=\"note\">" + escape(sentence);
  // `like this` is a command or a file.
  for (size_t open = html.find('`'); open != std::string::npos; open = html.find('`', open)) {
    const size_t close = html.find('`', open + 1);
    if (close == std::string::npos) break;
    html.replace(close, 1, "</code>").replace(open, 1, "<code>");
  }
  return html + "</p>";
}

const Evaluation* headline(const RunRecord& run) {
  return run.test ? &*run.test : run.val ? &*run.val : nullptr;
}

std::string run_line(const ReportInput& input) {
  const RunRecord& run = input.run;
  std::string line;
  const auto add = [&](const std::string& part) { append(line, part, " · "); };
  try {
    Config config;
    apply_toml(config, run.config, "config.toml");
    if (!run.config.empty()) {
      add(escape(config.model.name));
      const PictureSize size = config.clip.transform.crop;
      add(text(counted(config.clip.sampler.frames, "frame"), " of ", size.height, "×", size.width,
               config.clip.single_frame ? ", all the same" : ""));
    }
  } catch (const Error&) {
    // The config of another version; it is shown unparsed below.
  }
  if (!run.epochs.empty()) add(counted(static_cast<int64_t>(run.epochs.size()), "epoch"));
  if (!run.steps.empty()) add(counted(run.steps.back().step, "step"));
  if (const double seconds = training_seconds(run); std::isfinite(seconds))
    add(duration(seconds) + " of training");
  if (const Evaluation* e = headline(run))
    add(counted(static_cast<int64_t>(e->classes.size()), "class", "classes"));
  std::string html =
      "<p class=\"sub\">" + (line.empty() ? "A run without any record of training." : line) + "</p>";
  for (const std::string& sentence : run.notes) html += note(sentence);
  return html;
}

std::string result_section(const ReportInput& input) {
  std::string html = "<section id=\"result\"><h2>Result</h2>";
  const Evaluation* e = headline(input.run);
  if (!e)
    return html +
           note(
               "This run has not been evaluated: there is no evaluation_test.json in its folder. `laban "
               "eval` writes it.") +
           "</section>";
  const bool is_test = input.run.test.has_value();
  const std::string split_name = is_test ? "test" : "validation";
  if (!is_test)
    html += note(
        "There is no evaluation of the test split; these are the validation clips, on which settings may "
        "have been chosen.");
  html += verdict(*e, split_name, input.control, input.control_trained_so);
  if (e->epoch > 0)
    html += text("<p class=\"sub\">Measured with the weights of epoch ", e->epoch,
                 input.run.epochs.empty() ? "" : text(" of ", input.run.epochs.back().epoch), ".</p>");
  html += "<div class=\"tiles\">";
  html += tile("lead", percent(e->accuracy), text(is_test ? "Test" : "Validation", " accuracy"),
               text(e->correct, " of ", e->clips, e->ci95 ? " · 95% interval " + range(e->ci95) : ""));
  if (input.control)
    html += tile("", percent(input.control->accuracy), "Single-frame control",
                 text(input.control->correct, " of ", input.control->clips,
                      input.control->ci95 ? " · 95% interval " + range(input.control->ci95) : ""));
  html += tile("", percent(e->chance()), "Chance", text("one of ", e->classes.size(), " classes"));
  if (e->classes.size() > 5 && std::isfinite(e->top5_accuracy))
    html +=
        tile("", percent(e->top5_accuracy), "Top-5 accuracy", "the true class is among the five most likely");
  if (std::isfinite(e->macro_f1))
    html += tile("", fixed(e->macro_f1, 3), "Macro-F1", "the mean F1 of the classes, all of the same weight");
  html += tile("", percent(e->mean_class_accuracy), "Balanced accuracy", "the mean recall of the classes");
  html += tile("", fixed(e->loss, 3), "Cross-entropy",
               text(fixed(std::log(static_cast<double>(e->classes.size())), 3), " when guessing"));
  html += "</div>";

  std::vector<IntervalRow> rows;
  const auto add = [&](const std::string& label, const std::string& style, const Evaluation& from) {
    rows.push_back({label, percent(from.accuracy), from.accuracy, from.ci95, style,
                    text(label, ": ", from.correct, " of ", from.clips, ", ", percent(from.accuracy),
                         from.ci95 ? " (95% interval " + range(from.ci95) + ")" : "")});
  };
  if (input.run.test) add("test", "test", *input.run.test);
  if (input.run.val) add("validation", "val", *input.run.val);
  if (input.control) add("single frame", "control", *input.control);
  if (input.run.floor)
    for (const FloorMethod& method : input.run.floor->methods)
      for (const FloorScore& score : method.scores)
        if (score.split == (is_test ? "test" : "val"))
          rows.push_back({"floor: " + method.name, percent(score.accuracy), score.accuracy, score.ci95,
                          "control",
                          text(floor_words(method.name), ": ", percent(score.accuracy),
                               score.ci95 ? " (95% interval " + range(score.ci95) + ")" : "")});
  html += figure("Accuracy with 95% intervals", "",
                 interval_chart("Accuracy with 95% intervals", rows, e->chance(), "chance", 480), "");
  html += floor_html(input.run, *e, is_test ? "test" : "val");
  if (!input.control)
    html += note(input.control_note.empty() ? "No single-frame control was given (--control), so this page "
                                              "cannot say how much of the result is motion."
                                            : "There is no single-frame control: " + input.control_note);
  return html + "</section>";
}

std::string learning_section(const RunRecord& run) {
  std::string html = "<section id=\"learning\"><h2>Learning curves</h2>";
  if (run.steps.empty() && run.epochs.empty())
    return html + note("No training steps were recorded.") + "</section>";
  const bool validated = std::any_of(run.epochs.begin(), run.epochs.end(), [](const EpochRow& row) {
    return std::isfinite(row.val_accuracy) || std::isfinite(row.val_loss);
  });
  html += best_epoch(run);
  if (!validated)
    html += note(
        "The run has no validation results: these curves only show how well the training clips are fitted.");
  std::string keys = "<i class=\"train\"></i>train";
  if (validated) keys += "<i class=\"val\"></i>validation";
  const double chance = headline(run) ? headline(run)->chance() : kMissing;

  // The same x axis in all charts, so that they can be compared.
  const double last = static_cast<double>(std::max(run.steps.empty() ? 0 : run.steps.back().step,
                                                   run.epochs.empty() ? 0 : run.epochs.back().step));

  const auto curves = [&](const std::string& label, double StepRow::*step, double EpochRow::*train,
                          double EpochRow::*validation, bool as_percent) {
    LineChart chart{.label = label, .x_label = "step", .percent = as_percent, .x_end = last};
    chart.series.push_back(background(run.steps, step, "train", !run.epochs.empty()));
    chart.series.push_back(series("train", "train", run.epochs, train, as_percent));
    chart.series.push_back(series("validation", "val", run.epochs, validation, as_percent));
    return chart;
  };
  LineChart loss = curves("Loss", &StepRow::loss, &EpochRow::train_loss, &EpochRow::val_loss, false);
  loss.y_low = 0;
  LineChart accuracy =
      curves("Accuracy", &StepRow::accuracy, &EpochRow::train_accuracy, &EpochRow::val_accuracy, true);
  accuracy.y_low = 0, accuracy.y_high = 1;
  if (std::isfinite(chance)) accuracy.reference = chance, accuracy.reference_name = "chance";
  LineChart rate{.label = "Learning rate", .x_label = "step", .x_end = last};
  rate.y_low = 0;
  rate.series.push_back(background(run.steps, &StepRow::lr, "plain", false));
  if (run.steps.empty())
    rate.series.push_back(series("learning rate", "plain", run.epochs, &EpochRow::lr, false));
  LineChart waiting{
      .label = "Fraction of time spent waiting for data", .x_label = "step", .percent = true, .x_end = last};
  waiting.y_low = 0, waiting.y_high = 1;
  waiting.series.push_back(background(run.steps, &StepRow::waiting, "plain", false));

  html += "<div class=\"grid\">";
  html += figure("Loss", keys, line_chart(loss), "No loss was recorded.");
  html += figure("Accuracy", keys, line_chart(accuracy), "No accuracy was recorded.");
  html += figure("Learning rate", "", line_chart(rate), "No learning rate was recorded.");
  html += figure("Fraction of time spent waiting for data", "", line_chart(waiting),
                 "The time spent waiting for data was not recorded.");
  html += "</div>";
  std::string pace;
  if (const double speed = mean_of(run.steps, &StepRow::clips_per_second); std::isfinite(speed))
    pace += fixed(speed, 1) + " clips/s";
  if (const double fraction = mean_of(run.steps, &StepRow::waiting); std::isfinite(fraction))
    append(pace, percent(fraction) + " of the time waiting for data");
  if (!pace.empty())
    html += "<p class=\"sub\">On average over the logged steps: " + pace +
            ". Faint lines are single steps, bold lines whole epochs.</p>";
  return html + "</section>";
}

}  // namespace laban::report
