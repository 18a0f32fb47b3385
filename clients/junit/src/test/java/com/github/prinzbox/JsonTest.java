package com.github.prinzbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonTest {
  @Test
  void reads() {
    assertEquals(Map.of("a", List.of(1L, -2.5, 1e300, true, "é\n\"\\/\u0001\uD83D\uDE00")),
        Json.parse(" {\"a\" : [1, -2.5, 1e300,\ttrue, \"\\u00e9\\n\\\"\\\\\\/\\u0001\\ud83d\\ude00\"]}\n"));
    assertEquals(Arrays.asList(null, Map.of(), List.of(), Long.MIN_VALUE), Json.parse("[null,{},[],-9223372036854775808]"));
  }

  @Test
  void refuses() {
    for (String text : List.of("", "{", "[1", "[1,]", "{\"a\"}", "{\"a\":1,}", "{a:1}", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "tru", "1 2", "-", "NaN", "]")) {
      assertTrue(assertThrows(IllegalArgumentException.class, () -> Json.parse(text), text).getMessage().startsWith("JSON: wanted "), text);
    }
  }

  @Test
  void writesWhatItReads() {
    List<Object> value = Arrays.asList(null, Map.of("k\"", Map.of()), List.of(), List.of(1L, 2.5), false, "\u0000\t\\é\uD83D\uDE00");
    assertEquals(value, Json.parse(Json.write(value)));
    assertEquals("[1,2]", Json.write(List.of(1, (short) 2)));
    assertThrows(IllegalArgumentException.class, () -> Json.write(List.of(Double.NaN)));
    assertTrue(assertThrows(IllegalArgumentException.class, () -> Json.write(new int[] {1})).getMessage().contains("give a Map"));
  }
}
