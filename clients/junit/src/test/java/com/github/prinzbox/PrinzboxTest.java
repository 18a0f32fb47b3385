package com.github.prinzbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PrinzboxTest {
  private static long models(Environment env) {
    return ((List<?>) env.status().get("seeded")).size();
  }

  @Test
  void startsAndEnds() {
    Prinzbox box = Prinzbox.start(Prinzbox.options().seed(false));
    long pid = (Long) box.ready().get("pid");
    try (box) {
      assertEquals(0, models(box));
      assertEquals(box.trackingUri(), box.env().get("MLFLOW_TRACKING_URI"));
      assertEquals(box.s3Endpoint(), Prinzbox.connect(box.trackingUri() + "/").s3Endpoint());
      assertTrue(ProcessHandle.of(pid).isPresent());
    }
    box.close();
    assertFalse(ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false));
    PrinzboxException gone = assertThrows(PrinzboxException.class, box::status);
    assertEquals(0, gone.status());
  }

  @Test
  void saysWhatIsWrong() {
    String flag = assertThrows(PrinzboxException.class, () -> Prinzbox.start(Prinzbox.options().arguments("--no-such-flag"))).getMessage();
    assertTrue(flag.contains("was not ready") && flag.contains("unknown flag: --no-such-flag"), flag);
    String missing = assertThrows(PrinzboxException.class, () -> Prinzbox.start(Prinzbox.options().binary("missing"))).getMessage();
    assertTrue(missing.startsWith("missing: there is no such file; option binary"), missing);
    String java = new File(System.getProperty("java.home"), "bin/java").getPath();
    String other = assertThrows(PrinzboxException.class, () -> Prinzbox.start(Prinzbox.options().binary(java))).getMessage();
    assertTrue(other.contains("was not ready"), other);
    String late = assertThrows(PrinzboxException.class, () -> Prinzbox.start(Prinzbox.options().timeout(Duration.ofMillis(1)))).getMessage();
    assertTrue(late.contains("within 1 ms"), late);
    assertThrows(PrinzboxException.class, () -> Prinzbox.connect("127.0.0.1:5000"));
  }

  /** What the next test kills. */
  static final class Killed {
    public static void main(String[] args) throws InterruptedException {
      try (Prinzbox box = Prinzbox.start(Prinzbox.options().seed(false))) {
        System.out.println(box.ready().get("pid"));
        Thread.sleep(60_000);
      }
    }
  }

  @Test
  void endsWithAKilledJvm() throws Exception {
    String java = new File(System.getProperty("java.home"), "bin/java").getPath();
    ProcessBuilder builder = new ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), Killed.class.getName());
    Process jvm = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    try (BufferedReader out = new BufferedReader(new InputStreamReader(jvm.getInputStream(), StandardCharsets.UTF_8))) {
      ProcessHandle box = ProcessHandle.of(Long.parseLong(out.readLine())).orElseThrow();
      assertTrue(box.isAlive());
      jvm.destroyForcibly().waitFor(); // no shutdown hook runs
      box.onExit().get(10, TimeUnit.SECONDS);
    } finally {
      jvm.destroyForcibly();
    }
  }

  @Test
  void controls() {
    try (Prinzbox box = Prinzbox.start(); Namespace env = box.namespace()) {
      env.snapshot("before");
      assertEquals("1", env.stub("price list", Map.of("answer", 9.99)));
      assertEquals("2", env.stub("price list", Map.of("answer", 10)));
      env.restore("before");
      assertEquals("1", env.stub("price list", Map.of("answer", 9.99)));
      env.reset("empty");
      assertEquals(0, models(env));
      env.reset();
      assertTrue(models(env) > 0);
      env.fault(Map.of("id", "x", "match", Map.of("kind", "mlflow"), "error", Map.of("status", 503)));
      env.clearFaults();
      PrinzboxException refused = assertThrows(PrinzboxException.class, () -> env.fault(Map.of("mach", Map.of())));
      assertEquals(400, refused.status());
      assertTrue(refused.getMessage().contains("mach"), refused.getMessage());
      assertEquals(List.of(), env.keys(Map.of("operation", "GetObject")));
      String none = assertThrows(AssertionError.class, () -> env.assertCalled(Map.of("operation", "runs/create"))).getMessage();
      assertTrue(none.contains("wanted at least one call with {operation=runs/create}, got 0"), none);
      env.delete();
      env.delete(); // and once more at the end: what is gone is gone
    }
  }
}
