package example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.github.prinzbox.Namespace;
import com.github.prinzbox.Prinzbox;
import com.github.prinzbox.PrinzboxException;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Without the extension, as ScalaTest or munit would: a {@code lazy val}, and try with finally. Nothing declares checked exceptions. */
class ScalaStyleTest {
  // lazy val box = Prinzbox.start()
  private static final class Lazy {
    static final Prinzbox box = Prinzbox.start();
  }

  @Test
  void lazyVal() throws Exception {
    Namespace env = Lazy.box.namespace();
    try {
      env.stub("price", Map.of("answer", 1.5));
      assertEquals(1.5, new Mlflow(env.trackingUri()).price("price", 1));
    } finally {
      env.close();
    }
  }

  @Test
  void tryFinally() {
    Prinzbox box = Prinzbox.start(Prinzbox.options().seed(false));
    try {
      box.snapshot("empty");
      box.restore("empty");
    } finally {
      box.close();
    }
    assertThrows(PrinzboxException.class, box::status);
  }
}
