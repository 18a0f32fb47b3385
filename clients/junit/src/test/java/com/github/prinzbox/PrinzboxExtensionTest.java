package com.github.prinzbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;

@ExtendWith(PrinzboxExtension.class)
class PrinzboxExtensionTest {
  private static final Set<String> seen = new HashSet<>();
  private static Namespace ofClass;
  private static Prinzbox process;

  private final Namespace constructed;
  private Namespace before;

  PrinzboxExtensionTest(Namespace constructed) {
    this.constructed = constructed;
  }

  @BeforeAll
  static void all(Namespace env, Prinzbox box) {
    ofClass = env;
    process = box;
    assertEquals("1", ofClass.stub("shared", Map.of("answer", 1)));
  }

  @BeforeEach
  void each(Namespace env) {
    before = env;
  }

  @RepeatedTest(2)
  void freshForEachTest(Namespace env, Environment same, Prinzbox box) {
    assertSame(before, env);
    assertSame(constructed, env);
    assertSame(env, same);
    assertSame(process, box);
    assertNotEquals(ofClass.name(), env.name());
    assertTrue(seen.add(env.name()));
    assertEquals("1", env.stub("own", Map.of("answer", 1)));
  }

  @Nested
  class Inner {
    @Test
    void hasTheProcess(Prinzbox box, Namespace env) {
      assertSame(process, box);
      assertTrue(seen.add(env.name()));
    }
  }

  /** Those of tests that have ended are gone, that of the class is not. */
  @AfterAll
  static void removed(Prinzbox box) {
    assertEquals("2", ofClass.stub("shared", Map.of("answer", 1)));
    Object listed = box.control("GET", "/namespaces", null);
    assertTrue(listed.toString().contains(ofClass.name()), listed::toString);
    assertEquals(3, seen.size());
    for (String name : seen) {
      assertFalse(listed.toString().contains(name), listed::toString);
    }
  }
}

class PrinzboxExtensionOptionsTest {
  @RegisterExtension static final PrinzboxExtension box = new PrinzboxExtension(Prinzbox.options().seed(false));

  private static final Set<Prinzbox> processes = new HashSet<>();

  @RepeatedTest(2)
  void oneEmptyProcess(Environment env, Prinzbox process) {
    assertEquals(List.of(), env.status().get("seeded"));
    processes.add(process);
    assertEquals(1, processes.size());
  }
}
