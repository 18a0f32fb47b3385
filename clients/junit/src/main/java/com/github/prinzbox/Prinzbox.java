package com.github.prinzbox;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A running prinzbox. Use it in a try statement, or call close; what is not closed ends with the JVM, also with a killed one. */
public final class Prinzbox extends Environment implements AutoCloseable {
  private final Process process; // null for one that was running already
  private final Log log;
  private final Thread hook;

  private Prinzbox(Map<String, Object> ready, Process process, Log log, Thread hook) {
    super(ready);
    this.process = process;
    this.log = log;
    this.hook = hook;
  }

  /** What start takes. */
  public static Options options() {
    return new Options();
  }

  /** Starts the program on free ports, with the sample models and nothing kept, and waits until everything answers. */
  public static Prinzbox start() {
    return start(options());
  }

  /** Starts the program on free ports, with nothing kept, and waits until everything answers. */
  public static Prinzbox start(Options options) {
    List<String> command = options.command();
    ProcessBuilder builder = new ProcessBuilder(command);
    // Settings of another prinzbox in this shell are not for this one.
    builder.environment().keySet().removeIf(name -> name.startsWith("PRINZBOX_"));
    Process process;
    try {
      process = builder.start(); // its standard input stays open as long as this JVM lives, and it ends with it
    } catch (IOException e) {
      throw new PrinzboxException(command.get(0) + ": " + e.getMessage(), 0, e);
    }
    Thread hook = new Thread(process::destroyForcibly);
    Runtime.getRuntime().addShutdownHook(hook); // tests that never called close leave nothing behind
    Log log = new Log(process.getErrorStream());
    CompletableFuture<String> first = firstLine(process.getInputStream());
    String line = null;
    Throwable why = null;
    try {
      line = first.get(options.timeout.toMillis(), TimeUnit.MILLISECONDS);
      Object ready = Json.parse(line);
      if (ready instanceof Map && ((Map<?, ?>) ready).containsKey("tracking_uri")) {
        @SuppressWarnings("unchecked") // JSON's keys are texts
        Map<String, Object> fields = (Map<String, Object>) ready;
        return new Prinzbox(fields, process, log, hook);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      why = e;
    } catch (ExecutionException | TimeoutException | IllegalArgumentException e) {
      why = e;
    }
    end(process, hook, Duration.ZERO);
    log.await();
    throw new PrinzboxException(
        String.join(" ", command) + " was not ready within " + options.timeout.toMillis() + " ms, or ended\n" + (line == null ? "" : line + "\n") + log.text(), 0, why);
  }

  /** Uses a running one, as http://127.0.0.1:5000, with the S3 keys that prinzbox begins with. */
  public static Prinzbox connect(String url) {
    return connect(url, "mlflow-key", "mlflow-secret");
  }

  /** Uses a running one, with keys of its S3 store. */
  public static Prinzbox connect(String url, String accessKey, String secretKey) {
    if (!url.startsWith("http://") && !url.startsWith("https://")) {
      throw new PrinzboxException(url + ": give the address of a running prinzbox, as http://127.0.0.1:5000", 0, null);
    }
    Map<String, Object> ready = new LinkedHashMap<>();
    ready.put("tracking_uri", url.replaceAll("/+$", ""));
    ready.put("region", "us-east-1");
    Map<String, Object> status = new Environment(ready).status();
    for (String field : List.of("s3_endpoint", "static_url", "bucket", "seeded", "version", "pid")) {
      ready.put(field, status.get(field));
    }
    ready.put("access_key", accessKey);
    ready.put("secret_key", secretKey);
    return new Prinzbox(ready, null, null, null);
  }

  /** The end of what the program has logged; empty for one that was running already. */
  public String log() {
    return log == null ? "" : log.text();
  }

  /** Ends the program, if it was started here. A second call does nothing. */
  @Override
  public void close() {
    if (process != null && process.isAlive()) {
      end(process, hook, Duration.ofSeconds(10));
    }
  }

  private static void end(Process process, Thread hook, Duration patience) {
    try {
      process.destroy();
      if (!process.waitFor(patience.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    try {
      process.getOutputStream().close();
    } catch (IOException e) {
      // Nothing was written to it.
    }
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is ending, and runs the hook itself.
    }
  }

  /** The program: the one given, that of the system property prinzbox.binary, of PRINZBOX_BINARY, or that on PATH. */
  static String findBinary(String given) {
    for (String named : new String[] {given, System.getProperty("prinzbox.binary"), System.getenv("PRINZBOX_BINARY")}) {
      if (named == null || named.isEmpty()) {
        continue;
      }
      if (!new File(named).isFile()) {
        throw new PrinzboxException(named + ": there is no such file; option binary, property prinzbox.binary and PRINZBOX_BINARY name the program prinzbox", 0, null);
      }
      return new File(named).getAbsolutePath();
    }
    String name = File.separatorChar == '\\' ? "prinzbox.exe" : "prinzbox";
    String path = System.getenv("PATH");
    for (String dir : (path == null ? "" : path).split(File.pathSeparator)) {
      File file = new File(dir, name);
      if (!dir.isEmpty() && file.isFile() && file.canExecute()) {
        return file.getAbsolutePath();
      }
    }
    throw new PrinzboxException("there is no program prinzbox on PATH; name one in property prinzbox.binary or in PRINZBOX_BINARY", 0, null);
  }

  /** The first line; the rest is read and dropped, so that the program never waits for us. */
  private static CompletableFuture<String> firstLine(InputStream in) {
    CompletableFuture<String> first = new CompletableFuture<>();
    daemon("prinzbox output", () -> {
      try (BufferedReader reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
        String line = reader.readLine();
        first.complete(line == null ? "" : line);
        while (reader.readLine() != null) {
          continue;
        }
      } catch (IOException e) {
        first.completeExceptionally(e);
      }
    });
    return first;
  }

  private static Thread daemon(String name, Runnable task) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  /** The end of what a program writes. */
  private static final class Log {
    private static final int KEPT = 1 << 20; // characters

    private final StringBuffer text = new StringBuffer();
    private final Thread reader;

    Log(InputStream in) {
      reader = daemon("prinzbox log", () -> {
        char[] buffer = new char[8192];
        try (InputStreamReader chars = new InputStreamReader(in, StandardCharsets.UTF_8)) {
          for (int n = chars.read(buffer); n >= 0; n = chars.read(buffer)) {
            synchronized (text) {
              text.append(buffer, 0, n).delete(0, Math.max(0, text.length() - KEPT));
            }
          }
        } catch (IOException e) {
          text.append(e); // the program has ended, and its log with it
        }
      });
    }

    /** Waits until an ended program's log is read. */
    void await() {
      try {
        reader.join(1000);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    String text() {
      return text.toString();
    }
  }
}
