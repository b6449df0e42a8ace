#!/usr/bin/perl

# Consumers as the vendors' libraries for Python, unmodified, meet them: keys
# where each library puts them, models that one may not use, budgets.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use SdkTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    openai => { json => chat_answer('hello there') },
    claude => { json => claude_answer('hello there') },
    stream => { events => stream_events('one two three') },
    echo => { echo => 1 },
    list => { json => { object => 'list', data => [map { { id => $_,
        object => 'model', created => 1, owned_by => 'them' } }
        qw(gpt-4o gpt-5 claude-x)] } });
my $secret = 'c2VjcmV0LW9mLXRoZS1sb2dpbi1zZXJ2aWNlLTMyLWJ5dGVz';
my $gw = Gateway->start(
    http => zone() . provider(openai => openai => $up->url('openai'))
        . provider(claude => claude => $up->url('claude'))
        . provider(stream => openai => $up->url('stream'))
        . provider(echo => openai => $up->url('echo'))
        . provider(list => openai => $up->url('list'))
        . <<"EOF",
ai_proxy_consumer alice { key sk-alice; }
ai_proxy_consumer bob { key sk-bob; models gpt-4o*; }
ai_proxy_consumer carol { key sk-carol; }
ai_proxy_consumer staff {
    jwt_jwks '{"keys":[{"kty":"oct","alg":"HS256","k":"$secret"}]}';
    jwt_issuer https://login.test/;
}
ai_proxy_auth key jwt;
map \$ai_proxy_consumer \$poor { default ""; carol \$ai_proxy_consumer; }
EOF
    server => join('', map { "location /$_/ { ai_proxy_pass $_; }\n" }
            qw(openai claude stream echo list))
        # Limits of the same rate are the same limit.
        . join('', map { my ($n, $to) = ($_, qw(openai claude openai)[$_]);
            "location /poor$n/ { ai_proxy_pass $to;"
            . " ai_proxy_token_limit key=\$poor rate=1$n/d reserve=off; }\n"
        } 0 .. 2));
{
    local $ENV{GATEWAY} = $gw->url;
    local $ENV{JWT_SECRET} = $secret;
    take_tap(python(), 't/clients/sdk_consumers.py');
}
my @sent = map { $up->requests($_) } qw(openai claude stream list);
ok(@sent > 5, 'providers were asked');
unlike(encode(\@sent), qr/sk-(alice|bob|carol)|eyJ/,
    'and saw no key or token of a consumer');
unlike($gw->error_log, qr/sk-(alice|bob|carol)|eyJ/, 'nor has the log one');
done($gw, $up);
