// The one file that carries the test program's main(); the cases are in *_test.cpp, one file a subject.

#define BOOST_TEST_MODULE chat_v11_core
#include <boost/test/unit_test.hpp>
