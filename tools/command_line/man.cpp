#include "command_line/man.h"

#include <algorithm>
#include <cctype>

#include "command_line/help.h"
#include "core/text.h"

namespace laban::tools {
namespace {

/// Text that roff prints as it is.
std::string plain(const std::string& raw) {
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if ((c == '.' || c == '\'') && (i == 0 || raw[i - 1] == '\n')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '`')
      out += "\\(ga";
    else if (c == '^')
      out += "\\(ha";
    else if (c == '~')
      out += "\\(ti";
    else
      out += c;
  }
  return out;
}

std::string upper(std::string s) {
  std::ranges::transform(s, s.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return s;
}

/// "laban-bench-load"
std::string page_name(const Command& command) {
  std::string name = command.full_name();
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string page(const Command& command, const std::string& version,
                 const std::vector<std::string>& see_also) {
  const std::string name = page_name(command);
  // Without a date: the same program makes the same page.
  std::string out =
      ".TH " + upper(plain(name)) + " 1 \"\" \"laban " + plain(version) + "\" \"laban manual\"\n";
  out += ".SH NAME\n" + plain(name) + " \\- " + plain(command.summary()) + "\n";
  out += ".SH SYNOPSIS\n.B " + plain(command.full_name()) + "\n" +
         plain(usage(command).substr(command.full_name().size() + 1)) + "\n";
  if (!command.subcommands().empty()) {
    out += ".SH COMMANDS\n";
    for (const Command& sub : command.subcommands())
      if (!sub.is_hidden()) out += ".TP\n.B " + plain(sub.name()) + "\n" + plain(sub.summary()) + "\n";
  }
  for (const ArgumentGroup& group : argument_groups(command)) {
    out += ".SH \"" + upper(plain(group.heading)) + "\"\n";
    for (const Argument* argument : group.arguments)
      out += ".TP\n.B " + plain(spelling(*argument)) + "\n" + plain(explanation(*argument)) + "\n";
  }
  if (!command.examples().empty()) {
    out += ".SH EXAMPLES\n.nf\n";
    for (const std::string& line : command.examples()) out += plain(line) + "\n";
    out += ".fi\n";
  }
  out += ".SH \"EXIT STATUS\"\n0 on success, 1 on an error, 2 on a wrong command line or configuration.\n";
  out += ".SH \"SEE ALSO\"\n";
  for (size_t i = 0; i < see_also.size(); ++i)
    out += ".BR " + plain(see_also[i]) + " (1)" + (i + 1 < see_also.size() ? "," : "") + "\n";
  return out;
}

void add_pages(const Command& command, const std::string& parent, const std::string& version,
               std::vector<ManPage>& pages) {
  if (command.is_hidden()) return;
  std::vector<std::string> see_also;
  if (!parent.empty()) see_also.push_back(parent);
  for (const Command& sub : command.subcommands())
    if (!sub.is_hidden()) see_also.push_back(page_name(sub));
  pages.push_back({page_name(command) + ".1", page(command, version, see_also)});
  for (const Command& sub : command.subcommands()) add_pages(sub, page_name(command), version, pages);
}

}  // namespace

std::vector<ManPage> man_pages(const Command& program, const std::string& version) {
  std::vector<ManPage> pages;
  add_pages(program, "", version, pages);
  return pages;
}

}  // namespace laban::tools
