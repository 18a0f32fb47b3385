package com.github.prinzbox;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives tests a running prinzbox: parameters of type {@link Prinzbox} get the process, one for all tests that want the same options, which ends
 * with the last test; those of type {@link Namespace} or {@link Environment} get an environment of the test's own, which is removed after it. All
 * parameters of one test, of its BeforeEach and AfterEach methods and of its class's constructor get the same one; BeforeAll and AfterAll methods
 * (and constructors where one instance serves all tests) get one for the class.
 */
public final class PrinzboxExtension implements ParameterResolver {
  private static final ExtensionContext.Namespace STORE = ExtensionContext.Namespace.create(PrinzboxExtension.class);

  private final Options options;

  /** With the sample models. {@code @ExtendWith(PrinzboxExtension.class)} takes this one. */
  public PrinzboxExtension() {
    this(Prinzbox.options());
  }

  /** For {@code @RegisterExtension static final PrinzboxExtension box = new PrinzboxExtension(Prinzbox.options().seed(false))}. */
  public PrinzboxExtension(Options options) {
    this.options = options;
  }

  @Override
  public ExtensionContextScope getTestInstantiationExtensionContextScope(ExtensionContext root) {
    return ExtensionContextScope.TEST_METHOD; // so that constructors get the test's environment, not one of the class
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    Class<?> type = parameter.getParameter().getType();
    return type == Prinzbox.class || type == Namespace.class || type == Environment.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    List<String> command = options.command();
    Prinzbox box = kept(context.getRoot(), command, () -> Prinzbox.start(options), Prinzbox::close);
    if (parameter.getParameter().getType() == Prinzbox.class) {
      return box;
    }
    // The context's id: a look-up goes on in the contexts around it, and would find the class's environment.
    return kept(context, List.of(context.getUniqueId(), command), box::namespace, Namespace::close);
  }

  @SuppressWarnings("unchecked") // what made it has the type
  private static <T> T kept(ExtensionContext context, Object key, Supplier<T> make, Consumer<T> close) {
    return ((Kept<T>) context.getStore(STORE).getOrComputeIfAbsent(key, k -> new Kept<>(make.get(), close), Kept.class)).value;
  }

  /** What JUnit closes at the end of a context; releases before 5.13 know only the first interface, later ones want the second. */
  @SuppressWarnings("deprecation")
  private static final class Kept<T> implements ExtensionContext.Store.CloseableResource, AutoCloseable {
    final T value;
    private final Consumer<T> close;

    Kept(T value, Consumer<T> close) {
      this.value = value;
      this.close = close;
    }

    @Override
    public void close() {
      close.accept(value);
    }
  }
}
