package example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.prinzbox.Namespace;
import com.github.prinzbox.PrinzboxExtension;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(PrinzboxExtension.class)
class MlflowTest {
  /** A name can be taken once: the second time would fail if both had one server. */
  @RepeatedTest(2)
  void eachTestHasItsOwnEnvironment(Namespace env) throws Exception {
    new Mlflow(env.trackingUri()).createExperiment("mine");
    assertThrows(IOException.class, () -> new Mlflow(env.trackingUri()).createExperiment("mine"));
  }

  @Test
  void aModelAnswers(Namespace env) throws Exception {
    env.stub("price", Map.of("answer", 9.99));
    assertEquals(9.99, new Mlflow(env.trackingUri()).price("price", 1));
    env.assertCalled(1, Map.of("model", "price", "operation", "invocations"));
  }

  @Test
  void asksAgainWhenTheServerIsInTrouble(Namespace env) throws Exception {
    env.fault(Map.of("match", Map.of("operation", "runs/create"), "when", Map.of("first", 1), "error", Map.of("status", 503)));
    assertTrue(new Mlflow(env.trackingUri()).createRun("0").contains("run_id"));
    env.assertCalled(2, Map.of("operation", "runs/create"));
    env.assertCalled(1, Map.of("operation", "runs/create", "status", "503"));
  }
}
