package com.github.prinzbox;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** How to start prinzbox. Options do not change: each method gives new ones. */
public final class Options {
  final String binary;
  final boolean seed;
  final List<String> arguments;
  final Duration timeout;

  Options() {
    this(null, true, List.of(), Duration.ofSeconds(60));
  }

  private Options(String binary, boolean seed, List<String> arguments, Duration timeout) {
    this.binary = binary;
    this.seed = seed;
    this.arguments = arguments;
    this.timeout = timeout;
  }

  /** The program; default is that of the system property prinzbox.binary, of PRINZBOX_BINARY, or that on PATH. */
  public Options binary(String file) {
    return new Options(Objects.requireNonNull(file, "file"), seed, arguments, timeout);
  }

  /** Whether to register the sample models; default is true. */
  public Options seed(boolean seed) {
    return new Options(binary, seed, arguments, timeout);
  }

  /** More flags of {@code prinzbox serve}. */
  public Options arguments(String... arguments) {
    return new Options(binary, seed, List.of(arguments), timeout);
  }

  /** How long a start may take; default is a minute. */
  public Options timeout(Duration timeout) {
    return new Options(binary, seed, arguments, Objects.requireNonNull(timeout, "timeout"));
  }

  /** The command line that starts the program on free ports, with nothing kept. */
  List<String> command() {
    List<String> command = new ArrayList<>();
    command.add(Prinzbox.findBinary(binary));
    command.addAll(List.of("serve", "--ephemeral", "--exit-with-stdin", "--host", "127.0.0.1", "--port", "0", "--s3-port", "0", "--static-port", "0"));
    if (!seed) {
      command.add("--no-seed");
    }
    command.addAll(arguments);
    return command;
  }
}
